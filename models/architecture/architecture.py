"""What the product knows about a network family: how to build it, and what scoring and explaining need from it."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from models.architecture.attention_grid import AttentionGrid, no_attention
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
    """One network, by its name in checkpoints.

    `build(classes, settings)` returns the network with any weights, for the effective values of its settings.
    `adapt(network, state)` converts a state dict that differs from the network's in names or resolution. Where a
    library builds and fills its networks itself, `load(state, file)` does both.
    `fixed` holds settings that the architecture decides, whatever a folder says; `defaults` holds settings that a
    checkpoint or a settings.json may replace. A folder that names no task has the first of `tasks`.
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
    """A network with a logit for each label, the layer where Grad-CAM reads it, and the grid of its attention."""

    _: KW_ONLY
    cam_layer: Callable[[nn.Module], CamLayer]
    attention: Callable[[nn.Module], AttentionGrid] = no_attention
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

    `names` are exact, or hold a `*` where a library knows the rest. Networks of transformers are only described by the
    files beside their weights: `saved` resolves these, and `architecture` raises ModelError.
    """

    names: tuple[str, ...]
    architecture: Callable[[str], Architecture]
    saved: Callable[[SavedModel], Architecture] | None = None
