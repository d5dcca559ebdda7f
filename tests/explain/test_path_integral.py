"""Refinement of a path, on functions of the place on it whose integrals everyone knows."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from explain.integration.path_integral import COMPLETE_GAP, PathIntegral, Subinterval, integrate
from explain.integration.quadrature import Quadrature
from explain.network.explained_image import no_time_limit
from explain.network.explained_network import ClassifierNetwork
from explain.network.work_items import PathGradients
from explain.request.targets import ExplainedTarget
from tests.support.explain_networks import parameters_for

Function = Callable[[float], float]

NETWORK = ClassifierNetwork(nn.Identity())


def follow(path: PathGradients, output: Function, slope: Function) -> None:
    """Run the rows of a path through a network of one input, which is the place on the path."""
    for row, (alpha, weight) in enumerate(zip(path.quadrature.alphas, path.quadrature.weights, strict=True)):
        path.outputs[row], path.slopes[row] = output(alpha), slope(alpha)
        path.gradient += weight * slope(alpha)


def path(rule: Quadrature) -> PathGradients:
    return PathGradients(NETWORK, torch.ones(1, 1, 1), torch.zeros(1, 1, 1), rule, ExplainedTarget(0), "logit")


def in_subintervals(output: Function, slope: Function, most: int) -> PathIntegral:
    """Refine the path of a function from 0 to 1 until it is complete to 1 %, or takes `most` steps."""
    subintervals = [Subinterval(k / 8, 1 / 8, path(Quadrature(((k + 0.5) / 8,), (1 / 8,)))) for k in range(8)]
    integral = PathIntegral(subintervals, output(0), output(1))
    for items in integrate([integral], parameters_for("integrated_gradients", max_n_steps=most), no_time_limit):
        for one in items:
            assert isinstance(one, PathGradients)
            follow(one, output, slope)
        assert sum(integral.errors()) == pytest.approx(integral.delta, abs=1e-6)
    return integral


def bent(alpha: float) -> float:
    """Nothing, then a steep rise, as where a network finds its object."""
    return 1 / (1 + math.exp(-40 * (alpha - 0.68)))


def bent_slope(alpha: float) -> float:
    return 40 * bent(alpha) * (1 - bent(alpha))


def test_what_is_complete_stays_as_it_is() -> None:
    integral = in_subintervals(lambda alpha: 3 * alpha + 1, lambda alpha: 3.0, 32)
    assert (integral.n_steps, integral.change) == (8, 3)
    assert float(integral.gradient) == pytest.approx(3)


def test_steps_go_where_the_output_bends() -> None:
    integral = in_subintervals(bent, bent_slope, 64)
    assert integral.gap < COMPLETE_GAP
    counts = [len(one.nodes) for one in integral.subintervals]
    assert counts[5] == max(counts), "the subinterval from 0.625 to 0.75"
    assert counts[0] == counts[1] == counts[2] == 1


def test_refined_subintervals_are_midpoint_rules() -> None:
    integral = in_subintervals(lambda alpha: alpha**9, lambda alpha: 9 * alpha**8, 64)
    total = 0.0
    for one in integral.subintervals:
        alphas = [alpha for alpha, _, _ in one.nodes]
        n = len(alphas)
        assert n in (1, 3, 9, 27)
        assert alphas == pytest.approx([one.start + (k + 0.5) * one.width / n for k in range(n)])
        total += sum(9 * alpha**8 for alpha in alphas) * one.width / n
    assert float(integral.gradient) == pytest.approx(total, rel=1e-5)
    assert [len(one.nodes) for one in integral.subintervals][:4] == [1] * 4, "where next to nothing happens"
    assert integral.gap < COMPLETE_GAP


def test_no_more_steps_than_allowed() -> None:
    for most in range(8, 40, 5):
        assert in_subintervals(bent, bent_slope, most).n_steps <= most
