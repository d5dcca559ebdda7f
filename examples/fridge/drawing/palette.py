"""Random colours, from which one cannot tell the class of an object.

A colour is a float32 array of shape (3,): red, green, blue in [0, 1].
"""

import colorsys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[Any]


def colour(hue: float, saturation: float, value: float) -> Floats:
    """Return the colour with this hue (turns, any number), saturation and value in [0, 1]."""
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), dtype=np.float32)


def vivid(rng: np.random.Generator) -> Floats:
    """Return a saturated print colour."""
    return colour(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.4, 0.95))


def pale(rng: np.random.Generator) -> Floats:
    """Return a near-white with a slight tint."""
    return colour(rng.random(), rng.uniform(0.0, 0.16), rng.uniform(0.82, 1.0))


def muted(rng: np.random.Generator) -> Floats:
    """Return a wall or cloth colour: any lightness, little saturation."""
    return colour(rng.random(), rng.uniform(0.02, 0.34), rng.uniform(0.42, 0.98))


def printed(rng: np.random.Generator) -> Floats:
    """Return what a label or a container may be painted with: mostly vivid, else pale or dark."""
    kind = rng.random()
    if kind < 0.6:
        return vivid(rng)
    if kind < 0.88:
        return pale(rng)
    return colour(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.08, 0.3))


def contrasting(rng: np.random.Generator, ground: Floats) -> Floats:
    """Return a colour that reads well on `ground`."""
    dark = float(ground @ np.array([0.3, 0.59, 0.11], dtype=np.float32)) < 0.55
    if rng.random() < 0.5:
        return pale(rng) if dark else colour(rng.random(), rng.uniform(0.5, 1.0), rng.uniform(0.1, 0.4))
    return colour(rng.random(), rng.uniform(0.5, 0.9), 0.98 if dark else rng.uniform(0.25, 0.5))


def pixel(shade: Floats) -> tuple[int, int, int]:
    """Return a colour as Pillow takes it: three integers in [0, 255]."""
    red, green, blue = (round(255 * min(max(float(channel), 0.0), 1.0)) for channel in shade)
    return red, green, blue
