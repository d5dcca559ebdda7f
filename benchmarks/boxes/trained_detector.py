"""The detector whose explanations are measured: trained on marked scenes by the product's own command."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.boxes.marked_scenes import write_close_ups, write_scenes
from models.detector import Detector
from models.loaded import load

_JOBS = Path(__file__).parent / "jobs"
_ROOT = Path(__file__).parents[2]
_SHOWN = 1400  # scenes to train with, and as many close-ups
_HELD_BACK = 100
_UNSEEN = 800_000  # the first seed of images that evaluate the training
FIRST_SEED = 900_000  # of the scenes that are explained


def trained_detector(folder: Path) -> Detector:
    """Return the detector in a folder, which is trained there first, in minutes, where it is missing."""
    outputs = folder / "runs/boxes/outputs"
    if not outputs.exists():
        write_close_ups(folder / "closeups", 0, _SHOWN)
        write_close_ups(folder / "unseen_closeups", _UNSEEN, _HELD_BACK)
        write_scenes(folder / "scenes", 0, _SHOWN)
        write_scenes(folder / "unseen_scenes", _UNSEEN, _HELD_BACK)
        _train(folder, "closeups")
        _train(folder, "boxes", "--weights", str(folder / "runs/closeups/outputs"))
    model = load(outputs)
    assert isinstance(model, Detector)
    return model


def _train(folder: Path, name: str, *more: str) -> None:
    (folder / f"{name}.yml").write_text((_JOBS / f"{name}.yml").read_text())
    command = [sys.executable, "-m", "training", "run", f"{name}.yml", *more]
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(_ROOT)}, check=True)
