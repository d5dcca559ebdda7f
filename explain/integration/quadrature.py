"""Quadrature rules: they turn the integral over a path into a weighted sum of gradients."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from explain.request.parameter_types import RuleName


@dataclass(frozen=True, slots=True)
class Quadrature:
    """The places on the path, in [0, 1], at which gradients are taken, and the weight of each."""

    alphas: tuple[float, ...]
    weights: tuple[float, ...]

    def within(self, start: float, width: float) -> "Quadrature":
        """Return the same rule for the part of the path that begins at `start` and is `width` long."""
        alphas, weights = ([width * value for value in values] for values in (self.alphas, self.weights))
        return Quadrature(tuple(start + alpha for alpha in alphas), tuple(weights))


def quadrature(rule: RuleName, n_steps: int) -> Quadrature:
    """Return the rule for `n_steps` gradients. The names and numbers are captum's, except `pair`.

    The weights of `riemann_trapezoid` are 1/n, and half of that at the ends, which adds up to (n-1)/n, as in captum.
    `pair` is the rule of PAIR's saliency: both ends are included, and all weights are 1/n.
    Raises ValueError for fewer than 2 steps.
    """
    if n_steps < 2:
        raise ValueError(f"n_steps is {n_steps}; a path needs at least 2.")
    alphas, weights = _RULES[rule](n_steps)
    return Quadrature(tuple(alphas.tolist()), tuple(weights.tolist()))


def halves(n_steps: int) -> tuple[Quadrature, Quadrature]:
    """Split `n_steps` midpoints, an even number, into every other one and those in between.

    The first half has doubled weights, so that it can stand for all.
    """
    midpoints = quadrature("riemann_middle", n_steps)
    first = Quadrature(midpoints.alphas[::2], tuple(2 * weight for weight in midpoints.weights[::2]))
    return first, Quadrature(midpoints.alphas[1::2], midpoints.weights[1::2])


def midpoints_to_triple(n_steps: int) -> Quadrature:
    """Return the midpoints to add to `n_steps` midpoints, at least 1, to get three times as many.

    The old ones are midpoints of the finer rule, too.
    """
    finer = quadrature("riemann_middle", 3 * n_steps)
    new = [number for number in range(3 * n_steps) if number % 3 != 1]
    return Quadrature(tuple(finer.alphas[number] for number in new), tuple(finer.weights[number] for number in new))


_Points = tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]


def _even(n: int, first: float, last: float) -> _Points:
    return np.linspace(first, last, n), np.full(n, 1 / n)


def _trapezoid(n: int) -> _Points:
    alphas, weights = _even(n, 0, 1)
    weights[[0, -1]] /= 2
    return alphas, weights


def _gauss_legendre(n: int) -> _Points:
    points, weights = np.polynomial.legendre.leggauss(n)
    return (1 + points) / 2, weights / 2


_RULES: dict[RuleName, Callable[[int], _Points]] = {
    "riemann_left": lambda n: _even(n, 0, 1 - 1 / n),
    "riemann_right": lambda n: _even(n, 1 / n, 1),
    "riemann_middle": lambda n: _even(n, 1 / (2 * n), 1 - 1 / (2 * n)),
    "riemann_trapezoid": _trapezoid,
    "gausslegendre": _gauss_legendre,
    "pair": lambda n: _even(n, 0, 1),
}
