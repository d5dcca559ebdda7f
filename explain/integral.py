"""Integral: gradients summed along the path from a baseline to the inputs, and how complete the sum is.

What all attributions of a path sum to is the change of the output along it; the difference says how exact the
quadrature was (Sundararajan et al., https://arxiv.org/abs/1703.01365, "completeness").
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from explain.attribution import Attribution, finite
from explain.method import Method
from explain.quadrature import quadrature, tripled
from explain.rows import Needs, Path, Score

CLOSE = 0.01  # a completeness gap that more steps are not worth

_FIRST = 8  # steps


@dataclass(slots=True, eq=False)
class Integral:
    """One path. `rise` is the change of the target's output along it."""

    path: Path
    rise: float
    n_steps: int

    @property
    def attribution(self) -> Tensor:
        """The share of each value of the inputs in the rise, float32 [3, H, W]."""
        return self.path.gradient * (self.path.inputs - self.path.baseline)

    @property
    def delta(self) -> float:
        """What the attributions sum to, less the rise."""
        return float(self.attribution.sum(dtype=torch.float64)) - self.rise

    @property
    def gap(self) -> float:
        """The delta as a share of the rise, without sign."""
        return _gap(self.delta, self.rise)


def integrals(
    ends: Sequence[Score], starts: Sequence[Score], target: int, method: Method, steps: int
) -> list[Integral]:
    """Make the integral from each start to each end."""
    rule = quadrature("riemann_middle" if method.n_steps == "auto" else method.approximation_method, steps)
    return [
        Integral(
            Path(end.inputs, start.inputs, rule, target, method.output),
            float(end.outputs[target] - start.outputs[target]),
            steps,
        )
        for end in ends
        for start in starts
    ]


def first_steps(method: Method) -> int:
    """Return how many steps integrated gradients begin with."""
    return min(_FIRST, method.max_steps) if method.n_steps == "auto" else method.n_steps


def most_steps(method: Method) -> int:
    """Return how many steps a path of integrated gradients takes at most."""
    steps = first_steps(method)
    while method.n_steps == "auto" and 3 * steps <= method.max_steps:
        steps *= 3
    return steps


def refined(started: Sequence[Integral], method: Method, enough: Callable[[], bool]) -> Generator[Needs, None, None]:
    """Follow the paths, then triple the steps of those that are not complete while the method allows it."""
    yield [integral.path for integral in started]
    if method.n_steps != "auto":
        return
    while wanting := [one for one in started if 3 * one.n_steps <= method.max_steps and one.gap >= CLOSE]:
        if enough():
            return
        old = [integral.path for integral in wanting]
        for integral, path in zip(wanting, old, strict=True):
            finer = tripled(integral.n_steps)
            integral.path = Path(path.inputs, path.baseline, finer, path.target, path.output)
            integral.path.gradient += path.gradient / 3  # each step weighs a third of what it did
            integral.n_steps *= 3
        yield [integral.path for integral in wanting]


def averaged(group: Sequence[Integral]) -> Attribution:
    """Average the attributions [3, H, W] of the paths of one target."""
    values = torch.stack([integral.attribution for integral in group]).mean(0)
    delta = sum(integral.delta for integral in group) / len(group)
    gap = _gap(delta, sum(integral.rise for integral in group) / len(group))
    notes = () if gap < 5 * CLOSE else (f"The attributions miss {gap:.0%} of the output's change. Use more steps.",)
    return Attribution(
        group[0].path.target,
        finite(values),
        n_steps=max(integral.n_steps for integral in group),
        delta=delta,
        gap=gap,
        notes=notes,
    )


def _gap(delta: float, rise: float) -> float:
    return abs(delta) / max(abs(rise), 1e-9)
