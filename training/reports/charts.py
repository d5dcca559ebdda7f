"""The charts of a run: its losses and metrics over the epochs, its confusion matrix, its labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data.drawing.axes import shown_number
from data.drawing.bars import Bar, draw_named_bars
from data.drawing.colours import label_colour
from data.drawing.matrix import Matrix, draw_matrix
from data.drawing.vector_drawing import VectorDrawing
from training.reports.line_chart import Series, draw_lines
from training.reports.run_record import RunRecord, number
from training.reports.scatter import draw_precision_recall

NOTHING = "(nothing)"
"""What a detector sees in place of an object that it misses, and what is there where it sees an object wrongly."""

_LARGEST_MATRIX = 100
# Of each chart, those that a run has
_CHARTS = {
    "losses": ("Loss", ("log_loss_train", "log_loss")),
    "metrics": (
        "Metrics",
        (
            "accuracy",
            "iou",
            "mean_average_precision",
            "coco_ap",
            "coco_ap50",
            "balanced_accuracy",
            "f1_score_macro",
            "AUC_macro",
        ),
    ),
    "precision_recall": (
        "Precision and recall",
        ("precision", "recall", "precision_score_macro", "recall_score_macro"),
    ),
    "learning_rate": ("Learning rate", ("learning_rate",)),
}
_BY_LABEL = (
    ("average_precision", "Average precision by label"),
    ("f1_score", "F1 by label"),
    ("recall_score", "Recall by label"),
    ("recall", "Recall by label"),
)


def run_charts(record: RunRecord) -> dict[str, VectorDrawing]:
    """Return the charts for which a run has numbers, by name."""
    found = {}
    for name, (title, metrics) in _CHARTS.items():
        drawing = _curves(record, title, metrics)
        if drawing is not None:
            found[name] = drawing
    confusion = confusion_of(record)
    if confusion is not None:
        names = matrix_names(record, confusion)
        found["confusion"] = draw_matrix("Confusion matrix", confused(*_most_confused(names, confusion)))
    found |= _label_charts(record)
    return found


def confusion_of(record: RunRecord) -> NDArray[np.int64] | None:
    """Return the confusion matrix, int64 [labels, labels], rows are the truth; None where a run has none."""
    counts = np.asarray(record.evaluation.get("confusion") or [])
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not np.issubdtype(counts.dtype, np.number):
        return None
    return counts.astype(np.int64)


def matrix_names(record: RunRecord, confusion: NDArray[np.int64]) -> list[str]:
    """Return a name for each row: the labels, and for what is behind them that there is nothing."""
    names = record.labels[: len(confusion)]
    return names + [NOTHING] * (len(confusion) - len(names))


def confused(names: Sequence[str], counts: NDArray[np.int64]) -> Matrix:
    """Say how often each label was taken for each, and what share of its row that is."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return Matrix(
        names,
        shares,
        lambda row, column: (
            [shown_number(int(counts[row, column])), f"{shares[row, column]:.0%}"] if counts[row, column] else []
        ),
        lambda row, column: (
            f"{int(counts[row, column]):,} of {int(counts[row].sum()):,} {names[row]} predicted as {names[column]}, "
            f"{shares[row, column]:.1%}"
        ),
        "truth",
        "predicted",
    )


def _most_confused(names: Sequence[str], counts: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the labels with the most mistakes, in their order, where there are too many to see."""
    wrong = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    kept = sorted(np.argsort(-wrong, kind="stable")[:_LARGEST_MATRIX].tolist())
    return [names[index] for index in kept], counts[np.ix_(kept, kept)]


def _curves(record: RunRecord, title: str, metrics: Sequence[str]) -> VectorDrawing | None:
    names = list(metrics)
    if title == "Metrics" and record.primary_metric:
        names = list(dict.fromkeys([record.primary_metric, *metrics]))
    series = [Series(name, points) for name in names if (points := record.history(name))]
    return draw_lines(title, series, "epoch", best=record.best_epoch, logarithmic=title == "Loss") if series else None


def _label_charts(record: RunRecord) -> dict[str, VectorDrawing]:
    found = {}
    per_label = {str(label): values for label, values in (record.evaluation.get("per_label") or {}).items()}
    for metric, title in _BY_LABEL:
        values = {label: value for label, each in per_label.items() if (value := number(each.get(metric))) is not None}
        if values:
            ordered = sorted(values.items(), key=lambda pair: pair[1])
            bars = [Bar(label, value, label_colour(label), f"{value:.3f}") for label, value in ordered]
            found["labels"] = draw_named_bars(f"{title}, the lowest first", bars, full=1.0)
            break
    points = {}
    for label, each in per_label.items():
        precision = number(each.get("precision_score", each.get("precision")))
        recall = number(each.get("recall_score", each.get("recall")))
        if precision is not None and recall is not None:
            points[label] = (precision, recall)
    return found | ({"precision_recall_by_label": draw_precision_recall(points)} if points else {})
