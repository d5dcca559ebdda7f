"""Patterns for walls and floors, drawn in numpy at the size of the image.

Every pattern takes a generator and a grid and returns float32 (h, w, 3), about [0, 1]. Floors shrink towards
the horizon, which is their first row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image

from examples.fridge.drawing.palette import Floats, colour, muted, pale


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pixels of one part of an image lie.

    right: (1, w) float32, image heights from the middle. down: (h, 1) float32, 0 at the part's top, 1 at its foot.
    """

    right: Floats
    down: Floats

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.right.shape[1], self.down.shape[0]


Pattern: TypeAlias = Callable[[np.random.Generator, Grid], Floats]


def noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]) -> Floats:
    """Return smooth noise of `size` (width, height) from `cells` random values, (h, w) float32 around 0."""
    coarse = rng.uniform(-1.0, 1.0, (cells[1], cells[0])).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)


def _tinted(shade: Floats, tint: Floats) -> Floats:
    return shade[..., None] * tint


def plaster(rng: np.random.Generator, grid: Grid) -> Floats:
    """One colour with faint blotches."""
    shade = 1.0 + rng.uniform(0.01, 0.06) * noise(rng, grid.size, (9, 6))
    return _tinted(shade, muted(rng))


def gradient(rng: np.random.Generator, grid: Grid) -> Floats:
    """Two colours that run into each other in any direction."""
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * grid.right + np.sin(angle) * (grid.down - 0.5)
    share = 1.0 / (1.0 + np.exp(-rng.uniform(2.0, 6.0) * along))
    return _tinted(share, muted(rng)) + _tinted(1.0 - share, muted(rng))


def wallpaper(rng: np.random.Generator, grid: Grid) -> Floats:
    """Upright stripes of two or more colours."""
    place = grid.right * rng.uniform(3.0, 14.0) + rng.random()
    share = np.clip(0.5 + 6.0 * np.sin(2 * np.pi * place), 0.0, 1.0) * np.ones_like(grid.down)
    ground = muted(rng)
    other = ground + rng.uniform(0.15, 0.6) * (muted(rng) - ground)
    return _tinted(share, ground) + _tinted(1.0 - share, other)


def bricks(rng: np.random.Generator, grid: Grid) -> Floats:
    """Tiles or bricks in rows, each a little different, with joints."""
    rows, wide = int(rng.integers(4, 12)), rng.uniform(0.8, 2.6)
    row = grid.down * rows
    column = grid.right * rows / wide + 40.0 + np.floor(row) * rng.choice([0.0, 0.5])
    ground = muted(rng)
    joint = ground + rng.uniform(0.2, 0.6) * (muted(rng) - ground)
    shades = rng.uniform(1.0 - rng.uniform(0.02, 0.25), 1.0, 4096).astype(np.float32)
    shade = shades[(np.floor(row) * 131 + np.floor(column) * 17).astype(np.int32) % 4096]
    seam = rng.uniform(0.03, 0.08)
    joints = ((row % 1.0) < seam * 1.3) | ((column % 1.0) < seam)
    return np.where(joints[..., None], joint, _tinted(shade, ground))


def speckle(rng: np.random.Generator, grid: Grid) -> Floats:
    """Stone: grains over clouds."""
    grains = noise(rng, grid.size, (260, 150))
    clouds = noise(rng, grid.size, (14, 8))
    shade = 1.0 + rng.uniform(0.05, 0.22) * grains + rng.uniform(0.03, 0.12) * clouds
    return _tinted(shade, muted(rng))


def boards(rng: np.random.Generator, grid: Grid) -> Floats:
    """Wooden boards lying across, with grain."""
    count = int(rng.integers(2, 7))
    row = np.floor(grid.down * count).astype(np.int32)
    tone = rng.uniform(0.8, 1.05, count + 1).astype(np.float32)[row]
    grain = rng.uniform(0.05, 0.14) * noise(rng, grid.size, (5, 90))
    seam = np.where((grid.down * count) % 1.0 < 0.04, 0.6, 1.0)
    return _tinted((tone + grain) * seam, _timber(rng))


def _timber(rng: np.random.Generator) -> Floats:
    return colour(rng.uniform(0.04, 0.11), rng.uniform(0.2, 0.65), rng.uniform(0.35, 0.9))


def _recede(rng: np.random.Generator, grid: Grid) -> tuple[Floats, Floats]:
    """Return floor coordinates (h, w): sideways, and towards the viewer."""
    near = 1.0 / (1.25 - 0.9 * grid.down)
    sideways = (grid.right - rng.uniform(-0.3, 0.3)) / (0.35 + 0.65 * grid.down)
    return sideways * np.ones_like(grid.down), near * np.ones_like(grid.right)


def planks(rng: np.random.Generator, grid: Grid) -> Floats:
    """A wooden floor or table whose planks run away from the viewer."""
    sideways, near = _recede(rng, grid)
    place = sideways * rng.uniform(2.5, 6.0) + 20.0
    tone = rng.uniform(0.78, 1.05, 64).astype(np.float32)[np.floor(place).astype(np.int32) % 64]
    grain = 0.05 * np.sin(40.0 * place + 6.0 * noise(rng, grid.size, (12, 4)) + near)
    seam = np.where(place % 1.0 < 0.04, 0.6, 1.0)
    return _tinted((tone + grain) * seam, _timber(rng))


def checks(rng: np.random.Generator, grid: Grid) -> Floats:
    """Floor tiles in two colours."""
    sideways, near = _recede(rng, grid)
    scale = rng.uniform(1.5, 4.0)
    odd = (np.floor(sideways * scale + 30.0) + np.floor(near * scale * 1.6)) % 2
    ground = muted(rng)
    other = ground + rng.uniform(0.15, 0.5) * (muted(rng) - ground)
    return np.where((odd > 0)[..., None], ground, other)


def cloth(rng: np.random.Generator, grid: Grid) -> Floats:
    """A woven cloth with crossing stripes."""
    sideways, near = _recede(rng, grid)
    step = rng.uniform(2.0, 6.0)
    width = rng.uniform(0.15, 0.5)
    share = 0.4 * ((sideways * step) % 1.0 < width) + 0.4 * ((near * step * 1.5) % 1.0 < width)
    ground = pale(rng)
    return ground + _tinted(share, rng.uniform(0.3, 0.8) * (muted(rng) - ground))


def lining(rng: np.random.Generator, grid: Grid) -> Floats:
    """The back of a fridge: pale, moulded, brighter under its lamp."""
    glow = 0.18 * np.exp(-((grid.right - rng.uniform(-0.5, 0.5)) ** 2) / 0.3 - grid.down * 1.5)
    rib = np.where((grid.down * rng.uniform(2.0, 5.0)) % 1.0 < 0.05, 0.93, 1.0)
    shade = rng.uniform(0.62, 0.86) * rib + glow
    return _tinted(shade, colour(rng.uniform(0.45, 0.62), rng.uniform(0.01, 0.14), 1.0))


def rack(rng: np.random.Generator, grid: Grid) -> Floats:
    """A fridge shelf: bent wire, or glass with a green sheen."""
    sideways, near = _recede(rng, grid)
    ground = colour(rng.uniform(0.38, 0.6), rng.uniform(0.03, 0.18), rng.uniform(0.6, 0.9))
    shade = 0.86 + 0.12 * np.sin(2.0 * sideways + 3.0 * near + rng.uniform(0, 6))
    if rng.random() < 0.5:
        wire = np.abs(((sideways * rng.uniform(6.0, 11.0)) % 1.0) - 0.5) < 0.12
        shade = np.where(wire, 1.04, 0.8 + 0.08 * grid.down)
    return _tinted(shade, ground)


WALLS: tuple[Pattern, ...] = (plaster, plaster, gradient, gradient, wallpaper, bricks, speckle, boards)
FLOORS: tuple[Pattern, ...] = (plaster, gradient, planks, planks, checks, speckle, cloth, boards)
