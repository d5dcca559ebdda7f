"""Work items: what algorithms need from the network, in the unit that batches are made of.

An algorithm is a generator. It yields the work of its next stage; when it is resumed, each item holds its result. The
caller can therefore put rows of several explanations into one batch, and run other work between two batches.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from explain.attribution import Explanation
from explain.errors import ExplanationError
from explain.integration.quadrature import Quadrature
from explain.network.explained_image import ExplainedImage
from explain.network.explained_network import ExplainedNetwork
from explain.request.parameter_types import OutputName
from explain.request.targets import ExplainedTarget


@dataclass(slots=True, eq=False)
class CpuTask:
    """Work for a CPU thread: `function` is called once, and its result is stored in `result`."""

    function: Callable[[], Any]
    result: Any = None
    done: bool = False

    def run(self) -> None:
        """Do the work."""
        self.result = self.function()
        self.done = True


@dataclass(slots=True, eq=False)
class ForwardPass:
    """One forward pass: inputs [3, H, W] -> `logits`, and the `outputs` that `output` names, float32 [C] on the CPU.

    Each work item has `count` rows, of which `finished` have been run.
    """

    network: ExplainedNetwork
    inputs: Tensor
    output: OutputName
    logits: Tensor = field(init=False)
    outputs: Tensor = field(init=False)
    finished: int = 0
    count: int = 1
    passes: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("forward", self.network, self.output)


@dataclass(slots=True, eq=False)
class PathGradients:
    """Gradients along the straight line from `baseline` to `inputs`, both [3, H, W]: one row for each alpha.

    `gradient` becomes the weighted sum of the gradients of the target's number along the line, float32 [3, H, W].
    `outputs` and `slopes`, float64 on the CPU, become that number at each alpha and its derivative by alpha.
    """

    network: ExplainedNetwork
    inputs: Tensor
    baseline: Tensor
    quadrature: Quadrature
    target: ExplainedTarget
    output: OutputName
    gradient: Tensor = field(init=False)
    outputs: Tensor = field(init=False)
    slopes: Tensor = field(init=False)
    finished: int = 0
    passes: int = 2

    def __post_init__(self) -> None:
        self.gradient = torch.zeros_like(self.inputs)
        self.outputs, self.slopes = torch.zeros(2, self.count, dtype=torch.float64)

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.quadrature.alphas)

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("gradient", self.network, self.output)


@dataclass(slots=True, eq=False)
class TargetPass:
    """One forward pass of `inputs` [3, H, W], then a backward pass for each target that `image` selects.

    `error` says that a target does not exist; the other rows of the batch are not affected.
    """

    image: ExplainedImage
    inputs: Tensor
    output: OutputName
    logits: Tensor = field(init=False)
    targets: tuple[ExplainedTarget, ...] = ()
    error: ExplanationError | None = None
    finished: int = 0
    count: int = 1

    def select(self, logits: Tensor) -> None:
        """Keep the logits of the forward pass, float32 [C] on the CPU, and select the targets."""
        self.logits = logits
        try:
            self.targets = self.image.targets(logits)
        except ExplanationError as error:
            self.error = error

    @property
    def passes(self) -> int:
        """The passes of a row: forward, and backward for each target, which are known once it has run."""
        return 1 + len(self.targets)


@dataclass(slots=True, eq=False)
class TargetGradients(TargetPass):
    """Gradients of targets at one layer, at the inputs, or both.

    With `activation`, `activations` become the maps [K, h, w] that Grad-CAM reads, and `activation_gradients` the
    gradients [K, h, w] of each target there. With `guided`, `gradients` become those of guided backpropagation,
    [3, H, W] for each target, and `guided_relus` the number of ReLUs that guided them.
    """

    activation: bool = False
    guided: bool = False
    guided_relu6: bool = True
    activations: Tensor = field(init=False)
    activation_gradients: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)
    guided_relus: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("targets", self.image.network, self.output, self.activation, self.guided, self.guided_relu6)


@dataclass(slots=True, eq=False)
class TargetMaps(TargetPass):
    """Maps of targets at each of several layers: what the layer computed, times its gradient.

    `part` says which layers are read. `maps` become, for each target, a map [h, w] of each layer, at least 0, in the
    order in which they run. Layers may have maps of different sizes, and cover the whole image.
    """

    part: Literal["cam_layers", "attention"] = "cam_layers"
    maps: list[tuple[Tensor, ...]] = field(default_factory=list)

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("maps", self.image.network, self.output, self.part)


@dataclass(slots=True, eq=False)
class ScoredRows:
    """Images for the runtime that scores, which is the fastest and has no gradients: `count` rows from `first` on.

    `row(number)` makes a row when a batch takes it: uint8 [H, W, 3] on the CPU, as Classifier.outputs takes it.
    `collect(number, logits)` takes its logits, float32 [C] on the CPU, in the order of the numbers.
    """

    count: int
    row: Callable[[int], Tensor]
    collect: Callable[[int, Tensor], None]
    first: int = 0
    finished: int = 0
    passes: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("scored",)


class WorkItem(Protocol):
    """Rows for the network: `count` in all, of which `finished` have been run; equal keys may share a batch."""

    finished: int

    @property
    def count(self) -> int:
        """The number of rows."""

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""

    @property
    def passes(self) -> int:
        """The passes through the network that a row takes."""


StageWork: TypeAlias = Sequence[WorkItem | CpuTask]
ExplanationSteps: TypeAlias = Generator[StageWork, None, Explanation]


@dataclass(frozen=True, slots=True)
class WorkSlice:
    """The rows `start` to `stop` (exclusive) of a work item, as one batch takes them."""

    item: WorkItem
    start: int
    stop: int

    @property
    def count(self) -> int:
        """The number of rows."""
        return self.stop - self.start
