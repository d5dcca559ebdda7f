"""DetectorAdapter: how one family of detectors is fed and read: from pixels to inputs, from outputs to detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from models.runtime.precision import Precision
from models.runtime.runtime import Graph, GraphSource


@dataclass(frozen=True, slots=True)
class DetectorInput:
    """What a detector sees in one forward pass: an image or a tile of it, under `settings`.

    `image` is uint8 [h, w, 3] in [0, 255] on the CPU, as far prepared as its family does on CPU threads; `size` the
    (height, width) at which the network sees it, `padded` the (height, width) of the network's input around that.
    Inputs of the same `padded` and `settings` may share a batch.
    """

    image: Tensor
    size: tuple[int, int]
    padded: tuple[int, int]
    settings: Any

    @property
    def pixels(self) -> int:
        """The pixels of the network's input, the unit of cost."""
        return self.padded[0] * self.padded[1]


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found in one input, best score first, on the CPU.

    `boxes` float32 [N, 4]: left, top, right, bottom as shares of the input's content in [0, 1]. `scores` float32 [N] in
    [0, 1]. `labels` int64 [N], indexes into the model's labels. `masks`, one for each: float32 [M, M], the probability
    in [0, 1] of each cell of the box to show the object, or bool [h, w], whether it does; None where there are none.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Sequence[Tensor] | None = None


class DetectorAdapter(Protocol):
    """How one family is fed and read. `settings` are the effective values of its settings schema."""

    def pixels(self, settings: Any) -> int:
        """Return the pixels of the network's input for a usual picture."""

    def side(self, settings: Any) -> int:
        """Return the shorter side, in pixels, at which a picture is seen at most."""

    def prepare(self, image: Tensor, settings: Any) -> DetectorInput:
        """Prepare an image or a tile, uint8 [h, w, 3], on a CPU thread. It may be a slice of a larger tensor."""

    def graph_source(self, network: nn.Module, precision: Precision) -> GraphSource:
        """Return the costly part of a network, to be computed in `precision`; boxes need fp32, to tell pixels apart.

        What it returns need not be whole: `detect` does the rest.
        """

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch of inputs that may share one, on the network's device; `graph` computes its `work`."""
