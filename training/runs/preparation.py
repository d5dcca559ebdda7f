"""Preparation: reads, checks and splits the images of a job, the same way whenever and wherever it runs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from data.check import FaultPolicy, check, leaks
from data.dataset import CheckedData, CheckedImage
from data.fault import Fault
from data.progress import ProgressReport
from data.sources.located_reading import Stores, read_located
from data.split import split
from models.labels import Label
from training.errors import TrainingError
from training.job import TrainingJob

_LEAST_LABELS = 2


@dataclass(frozen=True, slots=True)
class PreparedData:
    """The images of a run; `labels` are those of both parts, sorted. `faults` are of both, each with its file."""

    training: tuple[CheckedImage, ...]
    validation: tuple[CheckedImage, ...]
    labels: tuple[Label, ...]
    faults: tuple[tuple[Path, Fault], ...]

    def fingerprints(self) -> dict[str, Any]:
        """Return how many images each part has, and the hash of their bytes and labels."""
        return {
            name: {"images": len(images), "objects": _objects(images), "sha256": _fingerprint(images)}
            for name, images in (("training", self.training), ("validation", self.validation))
        }

    def fault_lines(self) -> list[dict[str, Any]]:
        """Return the faults as lines of JSON."""
        return [{"file": str(file), **asdict(fault)} for file, fault in self.faults]


def prepare(job: TrainingJob, policy: FaultPolicy, stores: Stores, report: ProgressReport) -> PreparedData:
    """Return the images that train and those that evaluate.

    DataError where data cannot be read or has more faults than allowed; TrainingError where too little is left.
    """
    read = partial(read_located, stores=stores, task=job.task, label_column=job.target_column)
    training = check(*read(job.training_data), policy, report)
    if job.validation_data is None:
        kept, held = split(training.images, job.hyperparameters.validation_size)
        validation = CheckedData(training.task, held, training.labels)
        training = CheckedData(training.task, kept, training.labels, training.faults)
    else:
        validation = check(*read(job.validation_data), policy, report)
        training, _ = leaks(training, validation, policy)
    labels = _labels(training, validation, job)
    faults = [(job.training_data, fault) for fault in training.faults]
    faults += [(job.validation_data or job.training_data, fault) for fault in validation.faults]
    return PreparedData(training.images, validation.images, labels, tuple(faults))


def _labels(training: CheckedData, validation: CheckedData, job: TrainingJob) -> tuple[Label, ...]:
    given = [*training.labels, *validation.labels]
    if len({isinstance(label, str) for label in given}) > 1:
        raise TrainingError(
            f"The labels of {job.training_data} and {job.validation_data} are texts in one and numbers in the other. "
            "Write them the same way in both."
        )
    for part, images in (("train with", training.images), ("evaluate with", validation.images)):
        if not images:
            raise TrainingError(f"No image of {job.training_data} is left to {part}. Add images, or validation_data.")
    labels = tuple(sorted(set(given)))
    if job.task == "multiclass" and len(labels) < _LEAST_LABELS:
        raise TrainingError(
            f"All images of {job.training_data} have the label {labels[0]!r}; expected at least two labels to tell "
            "apart. Add images of another label."
        )
    return labels


def _objects(images: Sequence[CheckedImage]) -> int:
    return sum(len(each.image.objects) or len(each.image.labels) for each in images)


def _fingerprint(images: Sequence[CheckedImage]) -> str:
    digest = hashlib.sha256()
    for each in images:
        labelled = asdict(each.image)
        digest.update(json.dumps([each.sha256, labelled["labels"], labelled["objects"]]).encode())
    return digest.hexdigest()
