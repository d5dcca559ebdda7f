"""SummaryJob: by which model, how, and for which labels images are explained."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from explain.catalog import algorithm
from explain.errors import ExplanationError
from explain.request.parameters import ExplanationParameters
from explain.request.targets import TargetSelector, fixed_targets, target_selector
from explain.summary.image_maps import SIDE
from explain.summary.images import SummaryImage
from models.classifier import Classifier
from models.folder.registry import look_up
from models.labels import named

Explain = Literal["predicted", "labelled"]


@dataclass(frozen=True, slots=True)
class SummaryJob:
    """How the images of a summary are explained.

    `explain` says which labels: those that the model predicts, or those that the data gives. Of each label, at most
    `limit` images are explained. `batch_size` counts rows of the network.
    """

    model: Classifier
    parameters: ExplanationParameters
    explain: Explain = "predicted"
    limit: int | None = None
    batch_size: int = 8

    def __post_init__(self) -> None:
        if self.parameters.sign == "signed":
            raise ExplanationError(
                "xai_parameters_invalid",
                "'sign' is 'signed'; expected positive or absolute, as shares of an attribution are summed.",
            )
        single = ("target", "top_k", "against")
        if given := [name for name in single if getattr(self.parameters, name) is not None]:
            raise ExplanationError(
                "xai_parameters_invalid",
                f"{given[0]!r} is for single images. Leave it out, and say with --explain which labels are explained.",
            )
        if "classifier" not in algorithm(self.parameters.algorithm).explains:
            raise ExplanationError(
                "algorithm_unsupported",
                f"{self.parameters.algorithm} does not explain models that classify. Use gradcam.",
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the model's labels, by position."""
        return tuple(named(label) for label in self.model.definition.labels)

    @property
    def is_multilabel(self) -> bool:
        """Whether an image may have several labels, or none."""
        return self.model.definition.task.name == "multilabel"

    def description(self) -> dict[str, Any]:
        """Return all that decides what the maps of an image are, as JSON."""
        return {
            "model": _fingerprint(self.model.definition.used),
            "explain": self.explain,
            "cells": SIDE,
            **self.parameters.fields(),
        }

    def targets_of(self, image: SummaryImage) -> tuple[int, ...]:
        """Return the positions of the labels that the data gives an image, as far as the model has them."""
        labels = self.labels
        return tuple(labels.index(label) for label in image.labels if label in labels)

    def selector(self) -> Callable[[SummaryImage], TargetSelector]:
        """Return what selects the targets of an image."""
        if self.explain == "labelled":
            return lambda image: fixed_targets(*self.targets_of(image))
        predicted = target_selector(self.parameters, self.model.definition.labels, independent=self.is_multilabel)
        return lambda image: predicted


def model_path(given: str, root: Path) -> Path:
    """Return the folder that `given` is, or that of a registered model NAME or NAME@VERSION below `root`.

    ModelError where there is none.
    """
    path = Path(given)
    if path.exists() or "/" in given:
        return path
    return look_up(root, given).path


def _fingerprint(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.name):
        with file.open("rb") as stream:
            digest.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
