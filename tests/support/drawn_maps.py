"""Maps drawn without a network: of objects that move, of objects in the centre, and of a mark in a corner."""

import numpy as np
from numpy.typing import NDArray

from explain.summary.image_maps import SIDE, Maps

_DOWN, _RIGHT = np.mgrid[:SIDE, :SIDE] / SIDE


def spot(down: float, right: float, width: float = 0.13) -> NDArray[np.float64]:
    """A spot with its centre at shares of the sides, and its width as a share of them."""
    return np.asarray(np.exp(-((_DOWN - down) ** 2 + (_RIGHT - right) ** 2) / (2 * width**2)))


def moving(rng: np.random.Generator, count: int) -> list[Maps]:
    """Maps of an object that is somewhere else in each image."""
    places = rng.uniform(0.12, 0.88, (count, 2))
    return [_map(rng, spot(down, right, 0.13 * rng.uniform(0.8, 1.3))) for down, right in places]


def centred(rng: np.random.Generator, count: int) -> list[Maps]:
    """Maps of an object that is near the centre of each image."""
    places = rng.normal(0.5, 0.07, (count, 2))
    return [_map(rng, spot(down, right, 0.13 * rng.uniform(0.8, 1.3))) for down, right in places]


def marked(rng: np.random.Generator, count: int) -> list[Maps]:
    """Maps of a mark in the lower right corner, with some weight on an object that moves."""
    objects = moving(rng, count)
    return [_map(rng, spot(0.85, 0.85, 0.11) + 0.3 * rng.random() * each) for each in objects]


def _map(rng: np.random.Generator, values: NDArray[np.float64]) -> Maps:
    noisy = values + 0.03 * rng.random(values.shape)
    return np.asarray(noisy / noisy.max(), np.float32)
