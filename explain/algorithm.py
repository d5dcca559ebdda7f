"""Algorithm: a way to explain, as a file in `explain/algorithms/` describes it."""

from collections.abc import Callable
from dataclasses import dataclass

from explain.method import Method
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`steps(subject, method)` is the generator that explains a subject; see `explain/network/work_items.py`.

    `passes(method, targets)` is the most forward and backward passes of one picture that this takes for so many
    targets. `needs_cam_layer` algorithms raise ExplanationError for networks that have none.
    """

    name: str
    steps: Callable[[ExplainedImage, Method], ExplanationSteps]
    passes: Callable[[Method, int], int]
    needs_cam_layer: bool = False
