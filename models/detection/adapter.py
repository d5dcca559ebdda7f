"""DetectorAdapter: how one family of detectors is fed and read: from pixels to inputs, from outputs to detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from models.runtime.precision import Precision
from models.runtime.runtime import Graph, GraphSource


@dataclass(frozen=True, slots=True)
class DetectorInput:
    """The input of a detector for one forward pass: an image or a tile of it, under `settings`.

    `image` is uint8 [h, w, 3] in [0, 255] on the CPU, prepared as far as its family does that on CPU threads. `size` is
    the (height, width) at which the network sees it, `padded` the (height, width) of the network's input around it.
    Inputs with equal `padded` and `settings` may share a batch.
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
    """The objects that were detected in one input, best score first, on the CPU.

    `boxes` float32 [N, 4]: left, top, right, bottom as shares of the input's content in [0, 1]. `scores` float32 [N] in
    [0, 1]. `labels` int64 [N], indexes into the model's labels. `masks`, one per object: float32 [M, M] in [0, 1], the
    probability that a cell of the box shows the object, or bool [h, w], whether it does. None for detectors of boxes.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Sequence[Tensor] | None = None


class DetectorAdapter(Protocol):
    """How one family of detectors is fed and read. `settings` are the effective values of its settings schema."""

    def pixels(self, settings: Any) -> int:
        """Return the pixels of the network's input for a usual image."""

    def side(self, settings: Any) -> int:
        """Return the longest shorter side, in pixels, at which the network sees an image."""

    def prepare(self, image: Tensor, settings: Any) -> DetectorInput:
        """Prepare an image or a tile, uint8 [h, w, 3], on a CPU thread. `image` may be a slice of a larger tensor."""

    def graph_source(self, network: nn.Module, precision: Precision) -> GraphSource:
        """Return the costly part of a network, which a runtime computes in `precision`.

        It need not be the whole network: `detect` does the rest. Boxes need fp32, since smaller types cannot tell
        neighbouring pixels apart.
        """

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run inputs that may share a batch, on the network's device; `graph` computes `graph_source`."""

    def content(self, source: DetectorInput) -> Tensor:
        """Return an input as the network sees it, without padding: float32 [h, w, 3] in [0, 255] on the CPU."""

    def normalised(self, content: Tensor) -> Tensor:
        """Normalise content [h, w, 3], which stays as it is: float32 [3, h, w] on its device."""

    def padded(self, inputs: Tensor, padded: tuple[int, int]) -> Tensor:
        """Pad normalised inputs, [N, 3, h, w], to the (height, width) that the network takes. Gradients pass."""

    def graph_input(self, padded: Tensor) -> Tensor:
        """Turn what `padded` returned into what the graph takes."""
