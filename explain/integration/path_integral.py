"""PathIntegral: gradients summed along the path from a baseline to the inputs, and how complete the sum is.

What all attributions of a path sum to is the change of the output along it; the difference says how exact the
quadrature was (Sundararajan et al., https://arxiv.org/abs/1703.01365, "completeness").

Paths of `auto` steps are refined where it helps. The outputs at the steps, which come with the gradients, tell how much
the output really changed between two of them; what the gradients say it did tells where they are too few.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from explain.attribution import Attribution, finite
from explain.integration.baselines import EVEN, start
from explain.integration.quadrature import Quadrature, tripled
from explain.network.explained_image import ExplainedImage, StopRefining
from explain.network.work_items import ForwardPass, Needs, PathGradients
from explain.request.parameters import ExplanationParameters

CLOSE = 0.01  # a completeness gap that more steps are not worth

_CELLS = 8  # of a path that is refined, one step each at first
_AT_ONCE = 2  # cells to refine before looking again: the worst are far worse than the others

Node: TypeAlias = tuple[float, float, float]  # alpha, slope, output


@dataclass(frozen=True, slots=True, eq=False)
class Subinterval:
    """A stretch of a path. `path` holds its newest steps, and all of its gradient; `before` its other steps."""

    start: float
    width: float
    path: PathGradients
    before: tuple[Node, ...] = ()

    @property
    def n_steps(self) -> int:
        """How many gradients were taken."""
        return len(self.before) + self.path.count

    @property
    def nodes(self) -> list[Node]:
        """The steps in order."""
        path = self.path
        new = zip(path.quadrature.alphas, path.slopes.tolist(), path.outputs.tolist(), strict=True)
        return sorted([*self.before, *new])

    def tripled(self) -> "Subinterval":
        """Return the same stretch with three midpoints for each that it has."""
        return self.with_more(tripled(self.n_steps).within(self.start, self.width), 1 / 3)

    def with_more(self, steps: Quadrature, share: float) -> "Subinterval":
        """Return the same stretch with more steps, of which the old ones weigh that share of what they did."""
        old = self.path
        path = PathGradients(old.inputs, old.baseline, steps, old.target, old.output)
        path.gradient += share * old.gradient
        return Subinterval(self.start, self.width, path, tuple(self.nodes))


@dataclass(slots=True, eq=False)
class PathIntegral:
    """One path, in cells. `first` and `last` are the target's output at its ends."""

    cells: list[Subinterval]
    first: float
    last: float

    @property
    def rise(self) -> float:
        """The change of the target's output along the path."""
        return self.last - self.first

    @property
    def paths(self) -> list[PathGradients]:
        """The newest rows of each cell."""
        return [cell.path for cell in self.cells]

    @property
    def gradient(self) -> Tensor:
        """The mean of the gradients along the path, float32 [3, H, W]."""
        return torch.stack([path.gradient for path in self.paths]).sum(0) if self.cells[1:] else self.paths[0].gradient

    @property
    def n_steps(self) -> int:
        """How many gradients were taken."""
        return sum(cell.n_steps for cell in self.cells)

    @property
    def attribution(self) -> Tensor:
        """The share of each value of the inputs in the rise, float32 [3, H, W]."""
        path = self.paths[0]
        return self.gradient * (path.inputs - path.baseline)

    @property
    def delta(self) -> float:
        """What the attributions sum to, less the rise."""
        return float(self.attribution.sum(dtype=torch.float64)) - self.rise

    @property
    def gap(self) -> float:
        """The delta as a share of the rise, without sign."""
        return _gap(self.delta, self.rise)

    def errors(self) -> list[float]:
        """Split the delta up into what each cell of midpoints contributes."""
        steps = [
            (number, cell.width / cell.n_steps / 2, slope, output)
            for number, cell in enumerate(self.cells)
            for _, slope, output in cell.nodes
        ]
        found = [0.0] * len(self.cells)
        (_, half, slope, output), (_, half2, slope2, output2) = steps[0], steps[-1]
        found[0] += half * slope - (output - self.first)
        found[-1] += half2 * slope2 - (self.last - output2)
        for (own, half, slope, output), (next_, half2, slope2, output2) in pairwise(steps):
            error = half * slope + half2 * slope2 - (output2 - output)
            found[own] += error * half / (half + half2)
            found[next_] += error * half2 / (half + half2)
        return found

    def add(self, steps: Quadrature, share: float) -> list[PathGradients]:
        """Add steps to a path of one cell, as Subinterval.with_more; returns the rows to run for that."""
        self.cells = [self.cells[0].with_more(steps, share)]
        return self.paths

    def refine(self, most: int) -> list[PathGradients]:
        """Triple the steps of the worst cells, up to `most` steps in all; returns the rows to run for that."""
        worth = [abs(error) / cell.n_steps for cell, error in zip(self.cells, self.errors(), strict=True)]
        rows: list[PathGradients] = []
        for number in sorted(range(len(worth)), key=lambda number: -worth[number]):
            if len(rows) < _AT_ONCE and self.n_steps + 2 * self.cells[number].n_steps <= most:
                self.cells[number] = self.cells[number].tripled()
                rows.append(self.cells[number].path)
        return rows


def scored_starts(subject: ExplainedImage, parameters: ExplanationParameters) -> list[ForwardPass]:
    """Make the first passes of paths from baselines; those of even colours, once they are done, serve every picture."""
    found = []
    for name in parameters.baseline:
        key = ("start", name, parameters.output, subject.inputs.shape)
        score = subject.memory.get(key)
        if score is None or score.finished < score.count:
            score = ForwardPass(start(name, subject, parameters.seed), parameters.output)
            if name in EVEN:
                subject.memory[key] = score
        found.append(score)
    return found


def integrals(
    ends: Sequence[ForwardPass],
    starts: Sequence[ForwardPass],
    target: int,
    parameters: ExplanationParameters,
    rule: Quadrature | None = None,
) -> list[PathIntegral]:
    """Make the integral from each start to each end: by a rule, or of cells to be refined."""
    rules = [(0.0, 1.0, rule)] if rule else _cells()
    return [
        PathIntegral(
            [
                Subinterval(start, width, PathGradients(end.inputs, begin.inputs, rule, target, parameters.output))
                for start, width, rule in rules
            ],
            float(begin.outputs[target]),
            float(end.outputs[target]),
        )
        for end in ends
        for begin in starts
    ]


def step_counts(parameters: ExplanationParameters) -> tuple[int, int]:
    """Return how many steps a path of integrated gradients takes at least and at most."""
    n_steps = parameters.n_steps
    return (_CELLS, parameters.max_n_steps) if n_steps == "auto" else (n_steps, n_steps)


def refined(
    started: Sequence[PathIntegral], parameters: ExplanationParameters, enough: StopRefining
) -> Generator[Needs, None, bool]:
    """Follow the paths, then refine those that are not complete while that is allowed; false if `enough` ended it.

    Each time adds half of the steps so far at most.
    """
    yield [path for integral in started for path in integral.paths]
    while parameters.n_steps == "auto" and (wanting := [one for one in started if one.gap >= CLOSE]):
        if enough(1 / 2):
            return False
        rows = [path for one in wanting for path in one.refine(parameters.max_n_steps)]
        if not rows:
            return True
        yield rows
    return True


def averaged(group: Sequence[PathIntegral]) -> Attribution:
    """Average the attributions [3, H, W] of the paths of one target."""
    values = torch.stack([integral.attribution for integral in group]).mean(0)
    delta = sum(integral.delta for integral in group) / len(group)
    gap = _gap(delta, sum(integral.rise for integral in group) / len(group))
    n_steps = max(integral.n_steps for integral in group)
    return Attribution(group[0].paths[0].target, finite(values), n_steps, delta, gap)


def late(found: Attribution) -> str:
    """Say that refinement was ended by time."""
    return f"The time allowed ended refinement at {found.n_steps} steps."


def _cells() -> list[tuple[float, float, Quadrature]]:
    width = 1 / _CELLS
    starts = [number * width for number in range(_CELLS)]
    return [(start, width, Quadrature((start + width / 2,), (width,))) for start in starts]


def _gap(delta: float, rise: float) -> float:
    return abs(delta) / max(abs(rise), 1e-9)
