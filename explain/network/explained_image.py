"""ExplainedImage: what is explained. One picture as the network sees it, and the choice of targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from explain.errors import ExplanationError

TargetSelector = Callable[[Tensor], Sequence[int]]
StopRefining = Callable[[float], bool]


def never(growth: float) -> bool:
    """Let refinement go on."""
    return False


@dataclass(frozen=True, slots=True)
class ExplainedImage:
    """A picture, uint8 [H, W, 3] on the CPU; the same as inputs, float32 [3, H, W] on the device of the network.

    `normalise` turns values in [0, 255], [H, W, 3], into inputs. `choose` names the targets when the logits, float32
    [C] on the CPU, are known. `enough` is asked before what was found is refined, and told by which share of the work
    so far that grows: true ends it there. `memory` is shared by all subjects of a network, for what no picture changes.
    """

    picture: Tensor
    inputs: Tensor
    normalise: Callable[[Tensor], Tensor]
    choose: TargetSelector
    enough: StopRefining = never
    memory: dict[object, Any] = field(default_factory=dict)

    def targets(self, logits: Tensor) -> tuple[int, ...]:
        """Choose the targets; none is an answer too. ExplanationError where there is no such class."""
        chosen = tuple(int(target) for target in self.choose(logits))
        for target in chosen:
            if not 0 <= target < len(logits):
                raise ExplanationError(
                    "target_unknown",
                    f"The target {target} is no class of this model. Give a number from 0 to {len(logits) - 1}.",
                )
        return chosen


def highest(logits: Tensor) -> Sequence[int]:
    """Choose the class with the highest score."""
    return [int(logits.argmax())]


def fixed_targets(*targets: int) -> TargetSelector:
    """Choose classes by their index, whatever their scores."""
    return lambda logits: targets


def likely(threshold: float) -> TargetSelector:
    """Choose all classes whose independent probability is above `threshold`, 0 to 1."""
    return lambda logits: (logits.sigmoid() > threshold).nonzero().flatten().tolist()
