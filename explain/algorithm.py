"""Algorithm: a way to explain, as one file in `explain/algorithms/` defines it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from explain.network.executor import NetworkPart
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps
from explain.request.parameters import ExplanationParameters

Explained: TypeAlias = Literal["classifier", "detector", "script"]  # kinds of what is served


@dataclass(frozen=True, slots=True)
class PassCount:
    """How many forward and backward passes one image takes: `least` if time ends refinement at once, and `most`."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`steps(image, parameters)` is the generator that explains an image; see `explain/network/work_items.py`.

    `passes(parameters, targets)` counts the passes for so many targets. `explains` names the kinds of what is served
    that it suits. `needs` names the part of a network that it reads; without it, ExplanationError is raised before any
    work.
    """

    name: str
    steps: Callable[[ExplainedImage, ExplanationParameters], ExplanationSteps]
    passes: Callable[[ExplanationParameters, int], PassCount]
    explains: frozenset[Explained] = frozenset({"classifier"})
    needs: NetworkPart | None = None
