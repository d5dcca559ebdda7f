"""Runs `python -m training` as a person does, in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.repository import ROOT
from tests.support.training.coloured_images import coloured_images

SIZES = {"train_crop_size": 32, "valid_crop_size": 32, "valid_resize_size": 36}


def write_coloured_job(folder: Path, name: str = "colours", *, count: int = 45, **given: Any) -> Path:
    """Write images, a JSONL and a job file for them; `given` are hyperparameters. Return the job file."""
    images = coloured_images(folder / "images", count)
    lines = [{"image_url": f"images/{each.image.url}", "label": each.image.labels[0]} for each in images]
    (folder / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    # One that is measured could be another in the next run of the same job
    usual = {"model_name": "resnet18", "number_of_epochs": 3, "training_batch_size": 12, "precision": "fp32"}
    parameters = {**usual, **SIZES, **given}
    return write_job(folder / f"{name}.yml", "image_classification", "all.jsonl", parameters, name=name)


def write_job(file: Path, task: str, data: str, parameters: Mapping[str, Any], **more: Any) -> Path:
    """Write a job file of the hosted command line and return it."""
    job = {"type": "automl", "task": task, "training_data": {"path": data}, "training_parameters": dict(parameters)}
    file.write_text(yaml.safe_dump({**job, **more}))
    return file


def run_training(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with one thread."""
    return subprocess.run(
        [sys.executable, "-m", "training", *arguments],
        cwd=folder,
        env=training_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def training_environment() -> dict[str, str]:
    """Return the environment of a training: one thread, which computes the same bits wherever it runs."""
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
