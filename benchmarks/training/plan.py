"""TrainingPlan: what every contestant trains, and how it is told to."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from examples.fridge.dataset import LABEL_FILE

PlannedTask = Literal["classification", "detection"]

METRICS: dict[PlannedTask, str] = {"classification": "accuracy", "detection": "mean_average_precision"}
"""What counts as the quality of a network, as metrics.jsonl calls it."""

STRENGTH = 0.3
"""Of the augmentation of classifiers, from 0 to 1: weaker than what is hosted, since epochs are few."""
LEAST_AREA, PROPORTIONS = 1 - 0.92 * STRENGTH, (0.75**STRENGTH, (4 / 3) ** STRENGTH)
"""Of crops: their least share of an image, and the least and largest proportion."""
FLIPPED = min(0.5, STRENGTH)
"""The share of images that are mirrored."""
JITTER = 0.4 * STRENGTH
"""By how much brightness, contrast and saturation change, up and down."""
BETA2, WEIGHT_DECAY = 0.95, 0.02
WARM_UP_EPOCHS, CYCLES = 1, 0.45
"""Of AdamW and of its learning rate."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The same images, network, sizes, batches, optimizer and epochs for all.

    `folder` holds the images and JSONL files of `task` and, for classification, folders by_label/train/LABEL and
    by_label/valid/LABEL with links to the images. `side` is that of a crop in pixels, or of a detector's input its
    shorter one.
    """

    task: PlannedTask
    folder: str
    side: int
    batch_size: int
    epochs: int
    learning_rate: float
    seed: int

    @property
    def files(self) -> tuple[Path, Path]:
        """The JSONL files for training and validation, each beside its images."""
        return Path(self.folder, "train", LABEL_FILE), Path(self.folder, "valid", LABEL_FILE)

    @property
    def resize(self) -> int:
        """The shorter side of a validation image before its centre is cropped: 256 for a crop of 224."""
        return round(self.side * 256 / 224)

    @property
    def longest(self) -> int:
        """The longer side that a detector's input may have: 1333 where the shorter one is 800."""
        return round(self.side * 1333 / 800)

    def write(self, file: Path) -> None:
        """Write the plan for a program that `read_plan` reads."""
        file.write_text(json.dumps(asdict(self)))


def read_plan(what: str | None) -> tuple[TrainingPlan, int]:
    """Return the plan and the number of workers of the command line of a contestant's program."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--workers", type=int, default=0, help="processes that load images")
    options = parser.parse_args()
    return TrainingPlan(**json.loads(options.plan.read_text())), options.workers


def report_epoch(plan: TrainingPlan, epoch: int, images_per_second: float, quality: float) -> None:
    """Tell the benchmark about an epoch, in the words of metrics.jsonl."""
    line = {"epoch": epoch, "images_per_second": images_per_second, METRICS[plan.task]: quality}
    print(json.dumps(line), flush=True)
