"""The numbers of classifiers, by their names at the hosted service.

They are those of scikit-learn, with its conventions: a precision or recall of nothing counts as 0 in an average. What
stays undefined, such as an area under the ROC curve where all images have the label, is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.labels import Label, named
from training.errors import TrainingError
from training.metrics.ranking import Flags, Floats, average_precisions, roc_areas
from training.recipe import Evaluation

THRESHOLD = 0.5
"""A label whose probability is above this is predicted, where an image may have any number of labels."""

_LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


def evaluate_multiclass(
    probabilities: NDArray[np.floating], targets: NDArray[np.int64], labels: Sequence[Label]
) -> Evaluation:
    """Judge probabilities [N, C], whose rows add up to 1, by targets [N], indexes into the C labels.

    With one label alone, the accuracy is the only metric. TrainingError where a probability is not finite.
    """
    scores, targets = _checked(probabilities), np.asarray(targets, np.int64)
    guesses = scores.argmax(1)
    everyone = np.arange(len(labels))
    found = _Found(scores, targets[:, None] == everyone, guesses[:, None] == everyone)
    metrics = {"accuracy": float((guesses == targets).mean())}
    confusion = np.bincount(targets * len(labels) + guesses, minlength=len(labels) ** 2).reshape(len(labels), -1)
    if len(labels) > 1:
        occurring = found.present + found.predicted > 0
        metrics |= _averaged(found, occurring) | _of_confusion(confusion)
        metrics["log_loss"] = float(-np.log(_inner(scores[np.arange(len(targets)), targets])).mean())
        recall = metrics["recall_score_macro"]
        metrics["norm_macro_recall"] = (recall - 1 / len(labels)) / (1 - 1 / len(labels))
    if len(labels) == 2:
        metrics |= {f"{name}_binary": float(values[1]) for name, values in found.numbers() if np.isfinite(values[1])}
    return Evaluation(metrics, _per_label(found, labels), confusion)


def evaluate_multilabel(
    probabilities: NDArray[np.floating], targets: NDArray[np.bool_], labels: Sequence[Label]
) -> Evaluation:
    """Judge probabilities [N, C], each in [0, 1], by targets [N, C]: whether the image has the label.

    `iou` is the mean over the images of the labels predicted rightly divided by those predicted or true. As at the
    hosted service, it is 0 for an image without labels, whatever is predicted. With one label alone, it is the only
    metric. TrainingError where a probability is not finite.
    """
    scores, truth = _checked(probabilities), np.asarray(targets, np.bool_)
    predicted = scores > THRESHOLD
    found = _Found(scores, truth, predicted)
    metrics = {"iou": float(_share((truth & predicted).sum(1), (truth | predicted).sum(1)).mean())}
    if len(labels) > 1:
        metrics["accuracy"] = float((truth == predicted).all(1).mean())
        metrics |= _averaged(found, np.ones(len(labels), np.bool_), iou=True)
        metrics["log_loss"] = float(-np.log(_inner(np.where(truth, scores, 1 - scores))).mean())
    return Evaluation(metrics, _per_label(found, labels, iou=True))


@dataclass(frozen=True, slots=True)
class _Found:
    """Scores, truth and predictions, all [N, C], or [N * C, 1] where all labels are taken as one."""

    scores: Floats
    truth: Flags
    guessed: Flags

    @property
    def present(self) -> NDArray[np.int64]:
        return np.asarray(self.truth.sum(0))

    @property
    def predicted(self) -> NDArray[np.int64]:
        return np.asarray(self.guessed.sum(0))

    def numbers(self, iou: bool = False) -> Iterator[tuple[str, Floats]]:
        """Yield the hosted name of each number and its values [C], NaN where undefined."""
        right = (self.truth & self.guessed).sum(0)
        yield "AUC", roc_areas(self.scores, self.truth)
        yield "average_precision_score", average_precisions(self.scores, self.truth)
        yield "precision_score", _share(right, self.predicted)
        yield "recall_score", _share(right, self.present)
        yield "f1_score", _share(2 * right, self.predicted + self.present)
        if iou:
            yield "iou", _share(right, self.predicted + self.present - right)

    def as_one(self) -> "_Found":
        return _Found(self.scores.reshape(-1, 1), self.truth.reshape(-1, 1), self.guessed.reshape(-1, 1))


def _averaged(found: _Found, counted: Flags, iou: bool = False) -> dict[str, float]:
    """Average over the labels that are `counted`, over all decisions, and over the labels by their images."""
    metrics = {}
    together = dict(found.as_one().numbers(iou))
    for name, values in found.numbers(iou):
        usable = counted & np.isfinite(values)
        weights = found.present * usable
        if usable.any():
            metrics[f"{name}_macro"] = float(values[usable].mean())
        if np.isfinite(together[name][0]):
            metrics[f"{name}_micro"] = float(together[name][0])
        if weights.any():
            metrics[f"{name}_weighted"] = float(np.average(values[usable], weights=weights[usable]))
    return metrics


def _of_confusion(confusion: NDArray[np.int64]) -> dict[str, float]:
    """Return the numbers that need no more than the confusion matrix: int64 [C, C], rows are the truth."""
    right, present, predicted = (
        each.astype(np.float64) for each in (confusion.diagonal(), confusion.sum(1), confusion.sum(0))
    )
    total = present.sum()
    spread = (total**2 - (predicted**2).sum()) * (total**2 - (present**2).sum())
    agreement = right.sum() * total - (present * predicted).sum()
    return {
        "balanced_accuracy": float((right[present > 0] / present[present > 0]).mean()),
        # Each image counts as much as there are images of its label
        "weighted_accuracy": float((right * present).sum() / (present**2).sum()),
        "matthews_correlation": float(agreement / np.sqrt(spread)) if spread else 0.0,
    }


def _per_label(found: _Found, labels: Sequence[Label], iou: bool = False) -> Mapping[str, Mapping[str, float]]:
    columns = dict(found.numbers(iou))
    # Averages count these as 0, but of a single label they say nothing
    columns["precision_score"] = np.where(found.predicted > 0, columns["precision_score"], np.nan)
    for name in ("recall_score", "f1_score", *(["iou"] if iou else [])):
        columns[name] = np.where(found.present > 0, columns[name], np.nan)
    columns |= {"images": found.present.astype(np.float64), "predicted": found.predicted.astype(np.float64)}
    return {
        named(label): {name: float(values[index]) for name, values in columns.items() if np.isfinite(values[index])}
        for index, label in enumerate(labels)
    }


def _checked(probabilities: NDArray[np.floating]) -> Floats:
    scores = np.asarray(probabilities, np.float64)
    if not np.isfinite(scores).all():
        raise TrainingError(
            f"The network gives {int((~np.isfinite(scores).all(1)).sum())} of {len(scores)} validation images scores "
            "that are no finite numbers. Lower learning_rate, or train with precision fp32."
        )
    return scores


def _inner(probabilities: Floats) -> Floats:
    return np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    """Divide; nothing out of nothing is 0."""
    return part / np.maximum(whole, 1)
