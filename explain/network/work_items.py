"""Work items: what algorithms need of the network, in the unit that batches are made of.

An algorithm is a generator. It yields the needs of its next stage; when it is resumed, each need holds its result. So
whoever runs it can put rows of several explanations into one batch, and let other work go between two batches.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from explain.attribution import Explanation
from explain.errors import ExplanationError
from explain.integration.quadrature import Quadrature
from explain.network.explained_image import ExplainedImage
from explain.request.parameter_types import OutputName


@dataclass(slots=True, eq=False)
class CpuTask:
    """Work for a CPU thread: `function` is called once, and what it returns is put into `result`."""

    function: Callable[[], Any]
    result: Any = None
    done: bool = False

    def run(self) -> None:
        """Do the work."""
        self.result = self.function()
        self.done = True


@dataclass(slots=True, eq=False)
class ForwardPass:
    """One forward pass: inputs [3, H, W] -> `logits` and what `output` makes of them, float32 [C] on the CPU."""

    inputs: Tensor
    output: OutputName
    logits: Tensor = field(init=False)
    outputs: Tensor = field(init=False)
    finished: int = 0
    count: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("score", self.output)


@dataclass(slots=True, eq=False)
class PathGradients:
    """Gradients along the straight line from `baseline` to `inputs`, both [3, H, W]: one row for each alpha.

    `gradient` becomes the weighted sum over the line of the gradients of the target's output, float32 [3, H, W].
    `outputs` and `slopes`, float64 on the CPU, become that output at each alpha and its derivative by alpha.
    """

    inputs: Tensor
    baseline: Tensor
    quadrature: Quadrature
    target: int
    output: OutputName
    gradient: Tensor = field(init=False)
    outputs: Tensor = field(init=False)
    slopes: Tensor = field(init=False)
    finished: int = 0

    def __post_init__(self) -> None:
        self.gradient = torch.zeros_like(self.inputs)
        self.outputs, self.slopes = torch.zeros(2, self.count, dtype=torch.float64)

    @property
    def count(self) -> int:
        """How many rows this is."""
        return len(self.quadrature.alphas)

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("gradient", self.output)


@dataclass(slots=True, eq=False)
class TargetGradients:
    """One forward pass of a subject, as `inputs` [3, H, W], and backward passes for each of the targets it chooses.

    With `activation`, `activations` become the maps [K, h, w] that Grad-CAM reads, and `activation_gradients` the
    gradients [K, h, w] of each target there. With `guided`, `gradients` become those of guided backpropagation,
    [3, H, W] for each target, and `guides` the number of places in the network that guided them. `error` says that a
    target does not exist, which is no concern of the rows beside.
    """

    subject: ExplainedImage
    inputs: Tensor
    output: OutputName
    activation: bool = False
    guided: bool = False
    guided_relu6: bool = True
    logits: Tensor = field(init=False)
    targets: tuple[int, ...] = ()
    activations: Tensor = field(init=False)
    activation_gradients: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)
    guides: int = 0
    error: ExplanationError | None = None
    finished: int = 0
    count: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """Items with equal keys may share a batch."""
        return ("look", self.output, self.activation, self.guided, self.guided_relu6)


WorkItem: TypeAlias = ForwardPass | PathGradients | TargetGradients
Needs: TypeAlias = Sequence[WorkItem | CpuTask]
ExplanationSteps: TypeAlias = Generator[Needs, None, Explanation]


@dataclass(frozen=True, slots=True)
class WorkSlice:
    """The rows `start` to `stop` (exclusive) of a need, as one batch takes them."""

    rows: WorkItem
    start: int
    stop: int
