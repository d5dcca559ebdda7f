"""Algorithm: a way to explain, as one file in `explain/algorithms/` defines it."""

from collections.abc import Callable
from dataclasses import dataclass

from explain.network.executor import NetworkPart
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps
from explain.request.parameter_types import Aspect, Explained
from explain.request.parameters import ExplanationParameters


@dataclass(frozen=True, slots=True)
class PassCount:
    """How many forward and backward passes one image takes: `least` if time ends refinement at once, and `most`."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`steps(image, parameters)` is the generator that explains an image; see `explain/network/work_items.py`.

    `passes(parameters, targets)` counts the passes for so many targets. `explains` names the kinds of what is served
    that it suits, and `aspects` what it can explain of a box. `needs` names the part of a network that it reads;
    without it, ExplanationError is raised before any work. Those that need rows compare boxes with all rows of a
    detector.
    """

    name: str
    steps: Callable[[ExplainedImage, ExplanationParameters], ExplanationSteps]
    passes: Callable[[ExplanationParameters, int], PassCount]
    explains: frozenset[Explained] = frozenset({"classifier"})
    aspects: frozenset[Aspect] = frozenset({"label"})
    needs: NetworkPart | None = None
    needs_rows: bool = False
