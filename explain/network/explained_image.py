"""ExplainedImage: one image as the network sees it, and the selection of its targets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from explain.errors import ExplanationError
from explain.network.explained_network import ExplainedNetwork
from explain.request.targets import ExplainedTarget, TargetSelector

# share by which the work so far would grow -> whether that would end too late
OutOfTime = Callable[[float], bool]


def no_time_limit(growth: float) -> bool:
    """Allow any refinement."""
    return False


@dataclass(frozen=True, slots=True)
class ExplainedImage:
    """An image to explain.

    - `pixels`: uint8 [H, W, 3] on the CPU
    - `inputs`: the same as the network sees it, float32 [3, H, W] on the network's device
    - `normalise`: turns values in [0, 255], [H, W, 3], into inputs
    - `network`: what is explained
    - `select_targets`: returns the targets for the logits
    - `out_of_time`: asked before each refinement, which is left out if this returns true
    - `cache`: shared by all images of a network, for results that do not depend on the image
    """

    pixels: Tensor
    inputs: Tensor
    normalise: Callable[[Tensor], Tensor]
    network: ExplainedNetwork
    select_targets: TargetSelector
    out_of_time: OutOfTime = no_time_limit
    cache: dict[object, Any] = field(default_factory=dict)

    def targets(self, logits: Tensor) -> tuple[ExplainedTarget, ...]:
        """Select the targets, possibly none, for logits, float32 [C] on the CPU.

        Raises ExplanationError, code `target_unknown`, for an index that is not a class of the model.
        """
        targets = tuple(self.select_targets(logits))
        for target in targets:
            if not 0 <= target.index < len(logits):
                raise ExplanationError(
                    "target_unknown",
                    f"The target {target.index} is no class of this model. Give a number from 0 to {len(logits) - 1}.",
                )
        return targets
