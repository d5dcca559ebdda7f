"""DetectorFamily: what explaining needs to know of one family of detectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from explain.detection.box_target import BoxTarget
from explain.detection.rows import Rows
from explain.request.parameter_types import SIDES, Aspect
from models.detection.adapter import DetectorAdapter, DetectorInput
from models.runtime.runtime import Graph

BOX_ASPECTS: frozenset[Aspect] = frozenset({"label", "box", *SIDES})


@dataclass(frozen=True, slots=True)
class MapPart:
    """The part of a feature map that a number depends on.

    `features` are on the network's device, and `arranged` makes maps [K, h, w] of them or of their gradients. `box` is
    what these cover: left, top, right, bottom in pixels of the input's content. It may reach into the padding.
    """

    features: Tensor
    box: tuple[float, float, float, float]
    arranged: Callable[[Tensor], Tensor] = torch.Tensor.detach


@dataclass(frozen=True, slots=True)
class Reading:
    """The number that stands for a target, as a logit and as a probability, [2], and the maps that it depends on.

    For a side of a box both are its place, as a share of the input's content.
    """

    numbers: Tensor
    maps: Sequence[MapPart] = ()


class DetectorPass(Protocol):
    """One forward pass of a batch. Its readings can be differentiated, with respect to their maps or to the inputs."""

    def read(self, target: BoxTarget, number: int = 0) -> Reading:
        """Read the aspect of a target, one that its family has, in input `number` of the batch."""


class DetectorFamily(Protocol):
    """One network and how its numbers are read. Only the device's thread calls its methods.

    `outputs` are those of the graph for one input, `source`, in float32.
    """

    @property
    def adapter(self) -> DetectorAdapter:
        """How the network is fed."""

    @property
    def aspects(self) -> frozenset[Aspect]:
        """The aspects that have a number in this network."""

    @property
    def pools_box(self) -> bool:
        """Whether the network scores any box that it is given; otherwise a target needs a row."""

    @property
    def extra_passes(self) -> int:
        """The passes that `of_maps` takes besides the one that scored the input."""

    def rows(self, outputs: Sequence[Tensor], source: DetectorInput) -> Rows:
        """Return all rows of an input."""

    def cells(self, outputs: Sequence[Tensor], source: DetectorInput, target: BoxTarget) -> Tensor:
        """Return the cells of a target's mask as BoxTarget holds them, for networks with the aspect `mask`."""

    def of_inputs(self, inputs: Tensor, source: DetectorInput) -> DetectorPass:
        """Run normalised inputs [N, 3, h, w] of the size of `source`, so that readings depend on them."""

    def of_maps(self, outputs: Sequence[Tensor], source: DetectorInput) -> DetectorPass:
        """Return a pass over one input whose readings depend on maps that need gradients, and on nothing before.

        Call it, and differentiate, with gradients enabled.
        """


def side_numbers(corners: Tensor, aspect: Aspect, size: tuple[int, int]) -> Tensor:
    """Return the number that stands for a side of a box, twice: its place in a content of `size` (height, width).

    `corners` [4] are in pixels of the content; the place is a share of it.
    """
    side = SIDES.index(aspect)
    place = corners[side] / size[1 - side % 2]
    return torch.stack([place, place])


def mask_numbers(logits: Tensor, target: BoxTarget) -> Tensor:
    """Return the mean of a mask's logits over the cells of the target, as a logit and as a probability: [2]."""
    assert target.cells is not None
    chosen = logits[target.cells.to(logits.device)] if target.cells.any() else logits.flatten()
    return torch.stack([chosen.mean(), chosen.sigmoid().mean()])


def clipped(corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut off what lies outside of a content of `size` (height, width): corners [..., 4] in its pixels."""
    return corners.clamp(min=0).minimum(corners.new_tensor([size[1], size[0]] * 2))


def inputs_of(adapter: DetectorAdapter, source: DetectorInput, device: torch.device) -> Tensor:
    """Return the normalised input of `source` on a device, float32 [1, 3, h, w]."""
    return adapter.normalised(adapter.content(source)).to(device)[None]


def scored(adapter: DetectorAdapter, graph: Graph, inputs: Tensor, source: DetectorInput) -> list[tuple[Tensor, ...]]:
    """Run normalised inputs [N, 3, h, w] through the graph of a runtime; returns the outputs of each, in float32."""
    outputs = [each.float() for each in graph(adapter.graph_input(adapter.padded(inputs, source.padded)))]
    return [tuple(each[number : number + 1] for each in outputs) for number in range(len(inputs))]
