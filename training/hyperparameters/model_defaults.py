"""What differs by model: the default model of each task, and defaults of hyperparameters that a model replaces."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from models.folder.manifest import TaskName

# Those of the documentation; where no model is named, the hosted trainer itself takes seresnext and Faster R-CNN
DEFAULT_MODELS: Mapping[TaskName, str] = MappingProxyType(
    {
        "multiclass": "vitb16r224",
        "multilabel": "vitb16r224",
        "detection": "yolov5",
        "segmentation": "maskrcnn_resnet50_fpn",
    }
)

_MULTILABEL_RATE = 0.035

# Model -> its defaults; `learning_rate` by task
_BY_MODEL: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "vits16r224": {"batch": 128, "multiclass": 0.0125, "multilabel": 0.025},
        "vitb16r224": {"batch": 48, "multiclass": 0.0125, "multilabel": 0.025},
        "vitl16r224": {"batch": 10, "multiclass": 0.001, "multilabel": 0.002},
    }
)


def model_defaults(model_name: str, task: TaskName) -> dict[str, Any]:
    """Return the defaults that a model has instead of those of its kind."""
    own = _BY_MODEL.get(model_name)
    if own is None:
        return {"learning_rate": _MULTILABEL_RATE} if task == "multilabel" else {}
    sizes = dict.fromkeys(("training_batch_size", "validation_batch_size"), own["batch"])
    return {**sizes, "learning_rate": own[task], "grad_clip_type": "norm"}
