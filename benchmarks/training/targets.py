"""What training has to reach, and how long it takes: python -m benchmarks.training.targets [--only digits,detection].

Each row draws or writes its images, which is not counted, and then runs its job files by `python -m training run`, one
after the other, as a person would: the seconds are those of the commands, with their start. scikit-learn's digits and
the four labels of drawn images are learned from random weights, detectors from a network of close-ups that the first
command trains.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from examples.fridge.dataset import LABEL_FILE, write_dataset
from examples.fridge.task import find_task
from examples.fridge.training import draw_sets

_JOBS = Path(__file__).parent / "jobs"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class TrainingTarget:
    """A row: what is written before, the jobs, and the least that a metric has to be within so many seconds, if any."""

    write: Callable[[Path], None]
    jobs: Sequence[Path]
    metric: str
    least: float
    most_seconds: float | None = None


def _write_digits(folder: Path) -> None:
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    (folder / "digits").mkdir(parents=True)
    lines = []
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        name = f"{number:04d}.png"
        Image.fromarray((pixels * (255 / 16)).astype(np.uint8)).save(folder / "digits" / name)
        lines.append({"image_url": name, "label": str(label)})
    (folder / "digits" / LABEL_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))


def _write_multilabel(folder: Path) -> None:
    # Square, so that the centre that is scored shows every object that there is a label for
    write_dataset(folder / "images", 0, 2400, (192, 192), task="multilabel")
    write_dataset(folder / "unseen", 50_000, 200, (240, 240), task="multilabel")


def _demo(name: str, most_seconds: float | None = None) -> TrainingTarget:
    task = find_task(name)
    return TrainingTarget(
        lambda folder: draw_sets(task, 0, folder), task.job_files(), task.metric, task.least, most_seconds
    )


_TARGETS: dict[str, Callable[[], TrainingTarget]] = {
    "digits": lambda: TrainingTarget(_write_digits, [_JOBS / "digits.yml"], "accuracy", 0.97, 60),
    "multiclass": lambda: _demo("multiclass", 150),
    "multilabel": lambda: TrainingTarget(_write_multilabel, [_JOBS / "multilabel.yml"], "iou", 0.90),
    "detection": lambda: _demo("detection"),
    "segmentation": lambda: _demo("segmentation"),
    "yolo": lambda: _demo("yolo"),
}


def main() -> None:
    """Run the rows, print one line for each, and write all numbers to a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.targets", description=__doc__)
    parser.add_argument("--only", default=",".join(_TARGETS), help=f"rows: {', '.join(_TARGETS)}")
    parser.add_argument("--scratch", type=Path, help="keep images and runs in this folder")
    options = parser.parse_args()
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, torch {machine['versions']['torch']}")  # type: ignore[index]
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.only.split(","):
            rows[name] = _reached(name, _TARGETS[name](), (options.scratch or Path(temporary)) / name)
    write_report("training-targets", {"machine": machine, "load": os.getloadavg()[0], "rows": rows})


def _reached(name: str, target: TrainingTarget, folder: Path) -> dict[str, object]:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        target.write(folder)
    source: Path | None = None
    seconds = []
    for file in target.jobs:
        (folder / file.name).write_text(file.read_text())
        start = time.monotonic()
        weights = () if source is None else ("--weights", str(source / "outputs"))
        command = [sys.executable, "-m", "training", "run", file.name, *weights]
        subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(_ROOT)}, check=True)
        seconds.append(round(time.monotonic() - start, 1))
        source = folder / "runs" / file.stem
    assert source is not None
    value = json.loads((source / "evaluation.json").read_text())["metrics"][target.metric]
    bound = f" within {target.most_seconds:.0f} s" if target.most_seconds else ""
    met = value >= target.least and sum(seconds) <= (target.most_seconds or float("inf"))
    print(
        f"{name}: {target.metric} {value:.4f} in {sum(seconds):.1f} s ({' + '.join(map(str, seconds))}); "
        f"wanted {target.least}{bound}: {'met' if met else 'MISSED'}",
        flush=True,
    )
    return {"metric": target.metric, "value": value, "seconds": seconds, "wanted": target.least, "met": met}


if __name__ == "__main__":
    main()
