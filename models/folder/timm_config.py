"""config.json as timm saves it beside its weights: architecture, classes, and how images were prepared."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.architecture.architecture import ClassifierArchitecture
from models.errors import ModelError
from models.images.preprocess import INTERPOLATIONS, Statistics


@dataclass(frozen=True, slots=True)
class TimmConfig:
    """The content of the file. `architecture` is empty for another library's file, `trained` where timm wrote none.

    `labels` are as the file has them, or the numbers of the classes as texts.
    """

    architecture: str
    labels: tuple[Any, ...]
    trained: Mapping[str, Any]

    def applied_to(self, architecture: ClassifierArchitecture) -> ClassifierArchitecture:
        """Return `architecture` with the sizes and statistics of this file, if the file describes it."""
        if architecture.name != self.architecture or "mean" not in self.trained:
            return architecture
        return replace(architecture, defaults=sizes_of(self.trained), statistics=statistics_of(self.trained))


def timm_config(content: Mapping[str, Any]) -> TimmConfig:
    """Read timm's keys in the content of a config.json; another library's file has few of them or none."""
    name, classes, trained = content.get("architecture"), content.get("num_classes"), content.get("pretrained_cfg")
    labels = content.get("label_names") or list(map(str, range(classes if isinstance(classes, int) else 0)))
    return TimmConfig(
        architecture=f"timm/{name}" if isinstance(name, str) else "",
        labels=tuple(labels) if isinstance(labels, list) else (),
        trained=trained if isinstance(trained, Mapping) else {},
    )


def sizes_of(config: Mapping[str, Any]) -> dict[str, int]:
    """Translate timm's input size and crop share; ModelError for inputs that are not square."""
    height, width = config["input_size"][-2:]
    if height != width:
        raise ModelError(f"This timm network sees pictures of {width}x{height} pixels; only square ones are supported.")
    return {"valid_resize_size": math.floor(width / (config.get("crop_pct") or 1.0)), "valid_crop_size": width}


def statistics_of(config: Mapping[str, Any]) -> Statistics:
    """Translate timm's mean, std, filter and crop mode; ModelError where they are not supported."""
    mode, interpolation = config.get("crop_mode") or "center", config.get("interpolation") or "bicubic"
    if mode not in ("center", "squash") or interpolation not in INTERPOLATIONS:
        raise ModelError(
            f"timm prepares pictures for this network with crop mode {mode!r} and filter {interpolation!r}; supported "
            f"are the modes center and squash, and the filters {', '.join(INTERPOLATIONS)}."
        )
    mean, std = (tuple(map(float, config[name])) for name in ("mean", "std"))
    return Statistics(mean, std, interpolation, squash=mode == "squash")
