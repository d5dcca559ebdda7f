"""Backdrops: cloudy colours, light from one side, and plain shapes that have no label."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

_CELLS = (2, 4, 8, 16, 32, 64)  # of each octave of noise, per side


def draw_backdrop(rng: np.random.Generator, side: int) -> Floats:
    """Draw the background of the objects: float32 [side, side, 3], about [0, 1]."""
    first, second, third = rng.uniform(0, 1, (3, 3)).astype(np.float32)
    canvas = first + _patches(rng, _clouds(rng, side))[..., None] * (second - first)
    canvas += _patches(rng, _clouds(rng, side))[..., None] * (third - canvas) * np.float32(rng.uniform(0, 0.8))
    down, right = (np.mgrid[:side, :side] / np.float32(side) - 0.5).astype(np.float32)
    for _ in range(int(rng.integers(0, 7))):
        _lay_shape(rng, canvas, down, right)
    grain = _clouds(rng, side, roughness=rng.uniform(0.9, 1.3)) - np.float32(0.5)
    canvas += grain[..., None] * np.float32(rng.uniform(0.1, 0.5))
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
    light = 1 + np.float32(slope) * (down * np.float32(np.sin(angle)) + right * np.float32(np.cos(angle)))
    lit: Floats = canvas * light[..., None]
    return lit


def _clouds(rng: np.random.Generator, side: int, roughness: float | None = None) -> Floats:
    """Add octaves of noise, the finer the weaker: float32 [side, side] with mean 0.5, mostly in [0, 1]."""
    share = rng.uniform(0.4, 0.8) if roughness is None else roughness
    total = np.zeros((side, side), dtype=np.float32)
    for octave, cells in enumerate(_CELLS):
        grid = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
        total += np.float32(share**octave) * np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC))
    clouds: Floats = np.float32(0.5) + (total - total.mean()) / (4 * total.std())
    return clouds


def _patches(rng: np.random.Generator, clouds: Floats) -> Floats:
    """Steepen clouds at random, from mist to patches with edges: float32 [side, side] in [0, 1]."""
    steep = np.float32(2 ** rng.uniform(0, 4))
    return ((clouds - np.float32(0.5)) * steep + np.float32(0.5)).clip(0, 1)


def _lay_shape(rng: np.random.Generator, canvas: Floats, down: Floats, right: Floats) -> None:
    """Lay a plain ellipse or box over the canvas."""
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    y, x = down - np.float32(rng.uniform(-0.5, 0.5)), right - np.float32(rng.uniform(-0.5, 0.5))
    long, wide = np.abs(x * cos + y * sin) / np.float32(rng.uniform(0.05, 0.3)), np.abs(y * cos - x * sin)
    wide = wide / np.float32(rng.uniform(0.05, 0.2))
    inside = long**2 + wide**2 < 1 if rng.random() < 0.5 else np.maximum(long, wide) < 1
    canvas[inside] += np.float32(rng.uniform(0.5, 1)) * (rng.uniform(0, 1, 3).astype(np.float32) - canvas[inside])
