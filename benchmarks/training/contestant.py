"""Contestants: programs that train by a plan, run as child processes and watched from outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.training.plan import (
    BETA2,
    CYCLES,
    METRICS,
    STRENGTH,
    WARM_UP_EPOCHS,
    WEIGHT_DECAY,
    PlannedTask,
    TrainingPlan,
)

OURS = "sightglass"
OURS_EXACT = "sightglass fp32"
PEERS: dict[PlannedTask, dict[str, str]] = {
    "classification": {
        "torchvision": "benchmarks.training.torchvision_loop",
        "trainer": "benchmarks.training.hugging_face_trainer",
    },
    "detection": {"torchvision": "benchmarks.training.torchvision_detection_loop"},
}
"""The programs of the others, by their names."""

_ROOT = Path(__file__).parents[2]
_JOB = "benchmark"
_LOOK_S = 0.05  # how often a file that grows is looked at


@dataclass(frozen=True, slots=True)
class TrainedOnce:
    """What one training showed.

    `rates` are training images a second and `qualities` shares in [0, 1], one an epoch. `seconds` is how long the
    process took, `ends` after how many seconds each epoch and its evaluation had ended. `peak_mib` is the largest
    memory of any of its processes. `precision` is that of its layers.
    """

    rates: list[float]
    qualities: list[float]
    ends: list[float]
    seconds: float
    peak_mib: float
    precision: str

    @property
    def rate(self) -> float:
        """Images a second from the second epoch on; the first one warms up caches of all kinds."""
        later = self.rates[1:] or self.rates
        return len(later) / sum(1 / rate for rate in later)

    def seconds_to(self, quality: float) -> float | None:
        """Return when a quality was first reached, in seconds after the start of the process."""
        return next((end for end, each in zip(self.ends, self.qualities, strict=True) if each >= quality), None)


def train(name: str, plan: TrainingPlan, scratch: Path) -> TrainedOnce:
    """Run a contestant: "sightglass" with the precision that it chooses or names, or "trainer 2" with 2 workers.

    RuntimeError with what it said last where it fails.
    """
    scratch.mkdir(parents=True)
    program, _, variant = name.partition(" ")
    if program == OURS:
        job = scratch / "job.yml"
        job.write_text(yaml.safe_dump(own_job(plan, variant or "auto")))
        run = scratch / "runs" / _JOB
        trained = _watched(["-m", "training", "run", str(job)], scratch, run / "metrics.jsonl", METRICS[plan.task])
        return replace(trained, precision=json.loads((run / "run.json").read_text())["precision"])
    plan.write(scratch / "plan.json")
    command = ["-m", PEERS[plan.task][program], str(scratch / "plan.json"), "--workers", variant or "0"]
    return _watched(command, scratch, scratch / "output", METRICS[plan.task])


def own_job(plan: TrainingPlan, precision: str) -> dict[str, Any]:
    """Return the job file of ours."""
    general = {
        "learning_rate": plan.learning_rate,
        "number_of_epochs": plan.epochs,
        "training_batch_size": plan.batch_size,
        "validation_batch_size": plan.batch_size,
        "early_stopping": False,
        "precision": precision,
        "seed": plan.seed,
    }
    of_task: dict[PlannedTask, dict[str, Any]] = {
        "classification": {
            "model_name": "resnet18",
            "optimizer": "adamw",
            "beta2": BETA2,
            "weight_decay": WEIGHT_DECAY,
            "warmup_cosine_lr_warmup_epochs": WARM_UP_EPOCHS,
            "warmup_cosine_lr_cycles": CYCLES,
            "augmentation_strength": STRENGTH,
            "training_crop_size": plan.side,
            "validation_crop_size": plan.side,
            "validation_resize_size": plan.resize,
        },
        "detection": {
            "model_name": "fasterrcnn_resnet50_fpn",
            "min_size": plan.side,
            "max_size": plan.longest,
        },
    }
    return {
        "type": "automl",
        "task": {"classification": "image_classification", "detection": "image_object_detection"}[plan.task],
        "name": _JOB,
        "target_column_name": "label",
        "training_data": {"path": str(plan.files[0]), "type": "uri_file"},
        "validation_data": {"path": str(plan.files[1]), "type": "uri_file"},
        "training_parameters": general | of_task[plan.task],
    }


def _watched(command: Sequence[str], scratch: Path, lines: Path, metric: str) -> TrainedOnce:
    """Run a Python program in `scratch`; `lines` is the file in which a line of JSON appears for each epoch."""
    ends: list[float] = []
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with (scratch / "output").open("w") as output, (scratch / "errors").open("w") as errors:
        started = time.monotonic()
        child = subprocess.Popen([sys.executable, *command], cwd=scratch, env=environment, stdout=output, stderr=errors)
        while True:
            process, status, usage = os.wait4(child.pid, os.WNOHANG)
            now = time.monotonic() - started
            count = lines.read_text().count("\n") if lines.exists() else 0
            ends += [now] * (count - len(ends))
            if process:
                break
            time.sleep(_LOOK_S)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {child.returncode}: {(scratch / 'errors').read_text()[-2000:]}"
        )
    epochs = [json.loads(line) for line in lines.read_text().splitlines()]
    return TrainedOnce(
        rates=[epoch["images_per_second"] for epoch in epochs],
        qualities=[epoch[metric] for epoch in epochs],
        ends=ends,
        seconds=now,
        peak_mib=usage.ru_maxrss / 1024,
        precision="fp32",
    )
