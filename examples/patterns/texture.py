"""The textures that are the labels of objects, painted in random colours."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_CONTRAST = 0.3  # least difference of a texture's two colours, as a share of the full range, so that it is visible


def _horizontal(rng: np.random.Generator, down: Floats, right: Floats) -> Floats:
    return _wave(rng, down, rng.uniform(6, 10))


def _vertical(rng: np.random.Generator, down: Floats, right: Floats) -> Floats:
    return _wave(rng, right, rng.uniform(6, 10))


def _checker(rng: np.random.Generator, down: Floats, right: Floats) -> Floats:
    period = rng.uniform(10, 15)
    return _wave(rng, down, period) * _wave(rng, right, period)


def _diagonal(rng: np.random.Generator, down: Floats, right: Floats) -> Floats:
    across = down + right if rng.random() < 0.5 else down - right
    return _wave(rng, across / np.float32(np.sqrt(2)), rng.uniform(6, 10))


TEXTURES: dict[str, Callable[[np.random.Generator, Floats, Floats], Floats]] = {
    "horizontal": _horizontal,
    "vertical": _vertical,
    "checker": _checker,
    "diagonal": _diagonal,
}


def paint(rng: np.random.Generator, label: str, side: int) -> Floats:
    """Cover an image with the texture of a label in two colours: float32 [side, side, 3] in [0, 1]."""
    one = rng.uniform(0, 1, 3)
    other = rng.uniform(0, 1, 3)
    while abs(one.mean() - other.mean()) < _CONTRAST:
        one, other = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    down, right = np.mgrid[:side, :side].astype(np.float32)
    share = (TEXTURES[label](rng, down, right)[..., None] + 1) / 2
    painted: Floats = (one + share * (other - one)).astype(np.float32)
    return painted


def _wave(rng: np.random.Generator, across: Floats, period: float) -> Floats:
    """Alternate between -1 and 1, with edges a pixel or two wide, as after a lens."""
    wave: Floats = np.sin(across * np.float32(2 * np.pi / period) + np.float32(rng.uniform(0, 2 * np.pi)))
    return (wave * np.float32(period / 4)).clip(-1, 1)
