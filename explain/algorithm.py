"""Algorithm: a way to explain, as a file in `explain/algorithms/` describes it."""

from collections.abc import Callable
from dataclasses import dataclass

from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps
from explain.request.parameters import ExplanationParameters


@dataclass(frozen=True, slots=True)
class PassCount:
    """Forward and backward passes of one image: `least` when time ends refinement at once, and `most`."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`steps(subject, parameters)` is the generator that explains a subject; see `explain/network/work_items.py`.

    `passes(parameters, targets)` counts the passes that this takes for so many targets. `needs_cam_layer` algorithms
    raise ExplanationError for networks that have none.
    """

    name: str
    steps: Callable[[ExplainedImage, ExplanationParameters], ExplanationSteps]
    passes: Callable[[ExplanationParameters, int], PassCount]
    needs_cam_layer: bool = False
