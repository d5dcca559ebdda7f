from typing import get_args

import numpy as np
import pytest
from captum.attr._utils.approximation_methods import approximation_parameters

from explain.integration.quadrature import halves, midpoints_to_triple, quadrature
from explain.request.parameter_types import RuleName

RULES: tuple[RuleName, ...] = get_args(RuleName)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "pair"])
@pytest.mark.parametrize("steps", [2, 5, 50])
def test_rules_are_captums(rule: RuleName, steps: int) -> None:
    weights, alphas = (builder(steps) for builder in approximation_parameters(rule))
    found = quadrature(rule, steps)
    assert found.alphas == pytest.approx(alphas, abs=1e-6)
    assert found.weights == pytest.approx(weights, abs=1e-12)


def test_the_rule_of_pair_includes_both_ends() -> None:
    assert quadrature("pair", 5).alphas == (0, 0.25, 0.5, 0.75, 1)
    assert quadrature("pair", 5).weights == (0.2,) * 5


@pytest.mark.parametrize(
    ("rule", "degree", "expected"),
    [
        ("riemann_left", 1, 1 / 2 - 1 / 20),
        ("riemann_right", 1, 1 / 2 + 1 / 20),
        ("riemann_middle", 1, 1 / 2),
        ("riemann_middle", 2, 1 / 3 - 1 / 1200),
        ("riemann_trapezoid", 0, 9 / 10),  # as captum weighs it
        ("pair", 1, 1 / 2),
        ("gausslegendre", 19, 1 / 20),
    ],
)
def test_ten_steps_integrate_a_power(rule: RuleName, degree: int, expected: float) -> None:
    found = quadrature(rule, 10)
    total = sum(w * alpha**degree for alpha, w in zip(found.alphas, found.weights, strict=True))
    assert total == pytest.approx(expected, abs=1e-12)


def test_tripling_completes_the_finer_midpoints() -> None:
    old, new, finer = quadrature("riemann_middle", 4), midpoints_to_triple(4), quadrature("riemann_middle", 12)
    assert sorted((*old.alphas, *new.alphas)) == pytest.approx(finer.alphas)
    assert len(new.weights) == 8
    assert np.sum(old.weights) / 3 + np.sum(new.weights) == pytest.approx(1)


def test_halves_are_every_other_midpoint() -> None:
    midpoints, (one, rest) = quadrature("riemann_middle", 8), halves(8)
    assert sorted((*one.alphas, *rest.alphas)) == pytest.approx(midpoints.alphas)
    assert one.alphas == pytest.approx((1 / 16, 5 / 16, 9 / 16, 13 / 16))
    assert np.sum(one.weights) == pytest.approx(1)
    assert np.sum(one.weights) / 2 + np.sum(rest.weights) == pytest.approx(1)


def test_one_step_is_no_path() -> None:
    with pytest.raises(ValueError, match="n_steps is 1; a path needs at least 2"):
        quadrature("riemann_middle", 1)
