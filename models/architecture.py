"""What the product knows of a network family: how to build it, and what scoring and explaining need of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import Tensor, nn

from models.cam_layer import CamLayer
from models.preprocess import Statistics
from settings.model import ClassificationSettings, ModelSettings

State = dict[str, Tensor]


def _unchanged(network: nn.Module, state: State) -> State:
    return state


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network by the name its checkpoints give it.

    `build(number_of_classes, crop)` returns the network with any weights; `adapt(network, state)` brings a state
    dict that differs from the network's in naming or resolution into its form. `fixed` holds the settings that the
    architecture decides whatever a folder says, `defaults` those that stand below the checkpoint's.
    """

    name: str
    build: Callable[[int, int], nn.Module]
    cam_layer: Callable[[nn.Module], CamLayer]
    adapt: Callable[[nn.Module, State], State] = _unchanged
    settings: type[ModelSettings] = ClassificationSettings
    fixed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    defaults: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    statistics: Statistics = field(default_factory=Statistics)


@dataclass(frozen=True, slots=True)
class Family:
    """The networks that one file describes. `names` are exact, or end in `*` where a library knows the rest."""

    names: tuple[str, ...]
    architecture: Callable[[str], Architecture]
