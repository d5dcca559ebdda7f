"""What the product knows of a network family: how to build it, and what scoring and explaining need of it."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from models.architecture.cam_layer import CamLayer
from models.detection.adapter import DetectorAdapter
from models.folder.manifest import TaskName
from models.huggingface.saved import SavedModel
from models.images.preprocess import Statistics
from settings.model import ClassificationSettings, DetectionSettings, ModelSettings

State = dict[str, Tensor]


def _unchanged(network: nn.Module, state: State) -> State:
    return state


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network by the name its checkpoints give it.

    `build(classes, settings)` returns the network with any weights, for the effective values of its settings;
    `adapt(network, state)` brings a state dict that differs from the network's in naming or resolution into its form.
    Where a library builds and fills its networks itself, `load(state, file)` does both.
    `fixed` holds the settings that the architecture decides whatever a folder says, `defaults` those that stand below
    the checkpoint's. The first of `tasks` is what a folder is for that does not say.
    """

    name: str
    _: KW_ONLY
    build: Callable[[int, Any], nn.Module]
    tasks: tuple[TaskName, ...]
    settings: type[ModelSettings]
    adapt: Callable[[nn.Module, State], State] = _unchanged
    load: Callable[[State, Path], nn.Module] | None = None
    fixed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    defaults: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ClassifierArchitecture(Architecture):
    """A network with a logit for each label of a picture, and the place where Grad-CAM reads it."""

    _: KW_ONLY
    cam_layer: Callable[[nn.Module], CamLayer]
    tasks: tuple[TaskName, ...] = ("multiclass", "multilabel")
    settings: type[ModelSettings] = ClassificationSettings
    statistics: Statistics = field(default_factory=Statistics)


@dataclass(frozen=True, slots=True)
class DetectorArchitecture(Architecture):
    """A network that finds objects. `background` says that its first class is none of the labels.

    `library_defaults` hold together where a folder sets none of these settings: they are those of the library that the
    network comes from, as at the hosted endpoint.
    """

    _: KW_ONLY
    adapter: DetectorAdapter
    library_defaults: Mapping[str, int | float] = field(default_factory=lambda: MappingProxyType({}))
    tasks: tuple[TaskName, ...] = ("detection",)
    settings: type[ModelSettings] = DetectionSettings
    background: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """The networks that one file describes.

    `names` are exact, or hold a `*` where a library knows the rest. `saved` is for networks that only what transformers
    saved beside their weights describes; `architecture` then says so.
    """

    names: tuple[str, ...]
    architecture: Callable[[str], Architecture]
    saved: Callable[[SavedModel], Architecture] | None = None
