"""The metrics by which a job may choose its best epoch: those that rise, by the tasks that have them."""

from collections.abc import Mapping
from types import MappingProxyType

from models.folder.manifest import TaskName
from training.job_files.tasks import letters

_AVERAGES = ("macro", "micro", "weighted")
_AVERAGED = tuple(
    f"{name}_{average}"
    for name in ("AUC", "average_precision_score", "precision_score", "recall_score", "f1_score")
    for average in _AVERAGES
)
_SIZES = ("small", "medium", "large")
_COCO = (
    *("ap", "ap50", "ap75", *(f"ap_{size}" for size in _SIZES)),
    *("ar1", "ar10", "ar100", *(f"ar_{size}" for size in _SIZES)),
)
_DETECTION = ("mean_average_precision", "precision", "recall", *(f"coco_{name}" for name in _COCO))

# The first of a task is the one that decides where a job names none
PRIMARY_METRICS: Mapping[TaskName, tuple[str, ...]] = MappingProxyType(
    {
        "multiclass": (
            "accuracy",
            *_AVERAGED,
            "balanced_accuracy",
            "weighted_accuracy",
            "norm_macro_recall",
            "matthews_correlation",
        ),
        "multilabel": (
            "iou",
            *(f"iou_{average}" for average in ("macro", "micro", "weighted")),
            *_AVERAGED,
            "accuracy",
        ),
        "detection": _DETECTION,
        "segmentation": (*_DETECTION, *(f"coco_box_{name}" for name in _COCO)),
    }
)


def primary_metric(given: str | None, task: TaskName) -> str | None:
    """Return the metric that a text names, such as AUC_weighted or AUCWeighted; None where the task has none such."""
    known = PRIMARY_METRICS[task]
    return known[0] if given is None else next((name for name in known if letters(name) == letters(given)), None)
