"""PathIntegral: gradients summed along the path from a baseline to the inputs, and how complete the sum is.

All attributions of a path should sum to the change of the output along it. The difference tells how exact the
quadrature was (Sundararajan et al., https://arxiv.org/abs/1703.01365, "completeness").

Paths of `auto` steps are refined where that helps. The outputs at the steps, which come with the gradients, tell how
much the output really changed between two steps. Where the gradients say otherwise, there are too few of them.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from explain.attribution import Attribution, finite
from explain.integration.baselines import CONSTANT_BASELINES, baseline_inputs
from explain.integration.quadrature import Quadrature, midpoints_to_triple
from explain.network.explained_image import ExplainedImage, OutOfTime
from explain.network.work_items import ForwardPass, PathGradients, StageWork
from explain.request.parameter_types import OutputName
from explain.request.parameters import ExplanationParameters
from explain.request.targets import ExplainedTarget

COMPLETE_GAP = 0.01  # a path with a smaller completeness gap is not refined

_SUBINTERVALS = 8  # of a path that can be refined, at first with one step each
_REFINED_AT_ONCE = 2  # subintervals, before the errors are computed again: the worst are far worse than the others

Node: TypeAlias = tuple[float, float, float]  # alpha, slope, output


@dataclass(frozen=True, slots=True, eq=False)
class Subinterval:
    """A part of a path. `path` holds its newest steps and its whole gradient; `before` holds its earlier steps."""

    start: float
    width: float
    path: PathGradients
    before: tuple[Node, ...] = ()

    @property
    def n_steps(self) -> int:
        """The number of gradients taken."""
        return len(self.before) + self.path.count

    @property
    def nodes(self) -> list[Node]:
        """The steps in order."""
        path = self.path
        new = zip(path.quadrature.alphas, path.slopes.tolist(), path.outputs.tolist(), strict=True)
        return sorted([*self.before, *new])

    def tripled(self) -> "Subinterval":
        """Return the same part with three midpoints for each that it has."""
        return self.with_more(midpoints_to_triple(self.n_steps).within(self.start, self.width), 1 / 3)

    def with_more(self, steps: Quadrature, share: float) -> "Subinterval":
        """Return the same part with more steps; the weights of the old ones are multiplied by `share`."""
        old = self.path
        path = PathGradients(old.network, old.inputs, old.baseline, steps, old.target, old.output)
        path.gradient += share * old.gradient
        return Subinterval(self.start, self.width, path, tuple(self.nodes))


@dataclass(slots=True, eq=False)
class PathIntegral:
    """One path, in subintervals. `first_output` and `last_output` are the target's number at its ends."""

    subintervals: list[Subinterval]
    first_output: float
    last_output: float

    @property
    def change(self) -> float:
        """The change of the target's number along the path."""
        return self.last_output - self.first_output

    @property
    def paths(self) -> list[PathGradients]:
        """The newest work item of each subinterval."""
        return [subinterval.path for subinterval in self.subintervals]

    @property
    def gradient(self) -> Tensor:
        """The mean of the gradients along the path, float32 [3, H, W]."""
        gradients = [path.gradient for path in self.paths]
        return torch.stack(gradients).sum(0) if gradients[1:] else gradients[0]

    @property
    def n_steps(self) -> int:
        """The number of gradients taken."""
        return sum(subinterval.n_steps for subinterval in self.subintervals)

    @property
    def attribution(self) -> Tensor:
        """The share of each input value in the change, float32 [3, H, W]."""
        path = self.paths[0]
        return self.gradient * (path.inputs - path.baseline)

    @property
    def delta(self) -> float:
        """The sum of the attributions, less the change."""
        return float(self.attribution.sum(dtype=torch.float64)) - self.change

    @property
    def gap(self) -> float:
        """The delta as a share of the change, without sign."""
        return _gap(self.delta, self.change)

    def errors(self) -> list[float]:
        """Split the delta into the contribution of each subinterval of midpoints."""
        steps = [
            (number, subinterval.width / subinterval.n_steps / 2, slope, output)
            for number, subinterval in enumerate(self.subintervals)
            for _, slope, output in subinterval.nodes
        ]
        errors = [0.0] * len(self.subintervals)
        (_, half, slope, output), (_, half2, slope2, output2) = steps[0], steps[-1]
        errors[0] += half * slope - (output - self.first_output)
        errors[-1] += half2 * slope2 - (self.last_output - output2)
        for (own, half, slope, output), (next_, half2, slope2, output2) in pairwise(steps):
            error = half * slope + half2 * slope2 - (output2 - output)
            errors[own] += error * half / (half + half2)
            errors[next_] += error * half2 / (half + half2)
        return errors

    def add_steps(self, steps: Quadrature, share: float) -> list[PathGradients]:
        """Add steps to a path of one subinterval, as Subinterval.with_more does; returns the work items to run."""
        self.subintervals = [self.subintervals[0].with_more(steps, share)]
        return self.paths

    def refine(self, max_steps: int) -> list[PathGradients]:
        """Triple the steps of the worst subintervals, up to `max_steps` in all; returns the work items to run."""
        errors = zip(self.subintervals, self.errors(), strict=True)
        errors_per_step = [abs(error) / subinterval.n_steps for subinterval, error in errors]
        items: list[PathGradients] = []
        for number in sorted(range(len(errors_per_step)), key=lambda number: -errors_per_step[number]):
            subinterval = self.subintervals[number]
            if len(items) < _REFINED_AT_ONCE and self.n_steps + 2 * subinterval.n_steps <= max_steps:
                self.subintervals[number] = subinterval.tripled()
                items.append(self.subintervals[number].path)
        return items


def baseline_passes(image: ExplainedImage, parameters: ExplanationParameters) -> list[ForwardPass]:
    """Return the forward pass of each baseline; a finished one of a constant baseline serves all images."""
    passes = []
    for name in parameters.baseline:
        key = ("baseline", name, parameters.output, image.inputs.shape)
        one = image.cache.get(key)
        if one is None or one.finished < one.count:
            one = ForwardPass(image.network, baseline_inputs(name, image, parameters.seed), parameters.output)
            if name in CONSTANT_BASELINES:
                image.cache[key] = one
        passes.append(one)
    return passes


def path_integrals(
    ends: Sequence[ForwardPass],
    baselines: Sequence[ForwardPass],
    target: ExplainedTarget,
    output: OutputName,
    rule: Quadrature | None = None,
) -> list[PathIntegral]:
    """Return the integral from each baseline to each end: by a rule, or without one in subintervals to be refined."""
    rules = [(0.0, 1.0, rule)] if rule else _subintervals()
    return [
        PathIntegral(
            [
                Subinterval(start, width, PathGradients(end.network, end.inputs, baseline.inputs, rule, target, output))
                for start, width, rule in rules
            ],
            float(target.of(baseline.outputs)),
            float(target.of(end.outputs)),
        )
        for end in ends
        for baseline in baselines
    ]


def step_counts(parameters: ExplanationParameters) -> tuple[int, int]:
    """Return how many steps a path of integrated gradients takes at least and at most."""
    n_steps = parameters.n_steps
    return (_SUBINTERVALS, parameters.max_n_steps) if n_steps == "auto" else (n_steps, n_steps)


def integrate(
    integrals: Sequence[PathIntegral], parameters: ExplanationParameters, out_of_time: OutOfTime
) -> Generator[StageWork, None, bool]:
    """Take the steps of all paths. With `auto` steps, then refine the paths that are not complete.

    Each refinement adds at most half of the steps so far. Returns false if `out_of_time` ended it.
    """
    yield [path for integral in integrals for path in integral.paths]
    while parameters.n_steps == "auto" and (incomplete := [one for one in integrals if one.gap >= COMPLETE_GAP]):
        if out_of_time(1 / 2):
            return False
        items = [path for integral in incomplete for path in integral.refine(parameters.max_n_steps)]
        if not items:
            return True
        yield items
    return True


def average(integrals: Sequence[PathIntegral]) -> Attribution:
    """Average the attributions [3, H, W] of all paths of one target."""
    values = torch.stack([integral.attribution for integral in integrals]).mean(0)
    delta = sum(integral.delta for integral in integrals) / len(integrals)
    gap = _gap(delta, sum(integral.change for integral in integrals) / len(integrals))
    n_steps = max(integral.n_steps for integral in integrals)
    return Attribution(integrals[0].paths[0].target, finite(values), n_steps, delta, gap)


def time_limit_note(attribution: Attribution) -> str:
    """Return the note that time ended refinement."""
    return f"The time allowed ended refinement at {attribution.n_steps} steps."


def _subintervals() -> list[tuple[float, float, Quadrature]]:
    width = 1 / _SUBINTERVALS
    starts = [number * width for number in range(_SUBINTERVALS)]
    return [(start, width, Quadrature((start + width / 2,), (width,))) for start in starts]


def _gap(delta: float, change: float) -> float:
    return abs(delta) / max(abs(change), 1e-9)
