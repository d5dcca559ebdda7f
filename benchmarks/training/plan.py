"""TrainingPlan: what every contestant trains, and how it is told to."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The same images, network, crops, batches, optimizer and epochs for all.

    `folder` holds train/LABEL/*.jpg, valid/LABEL/*.jpg, train.jsonl and valid.jsonl. Images are cropped to `crop`
    pixels; for validation the shorter side is `resize` first.
    """

    folder: str
    crop: int
    batch_size: int
    epochs: int
    learning_rate: float
    seed: int

    @property
    def resize(self) -> int:
        """The shorter side of a validation image before its centre is cropped: 256 for a crop of 224."""
        return round(self.crop * 256 / 224)

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


def report_epoch(epoch: int, images_per_second: float, accuracy: float) -> None:
    """Tell the benchmark about an epoch, in the words of metrics.jsonl."""
    line = {"epoch": epoch, "images_per_second": images_per_second, "accuracy": accuracy}
    print(json.dumps(line), flush=True)
