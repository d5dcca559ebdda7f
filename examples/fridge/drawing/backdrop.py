"""Draws the background of the objects: a wall over a table, or the inside of a fridge."""

from dataclasses import dataclass

import numpy as np

from examples.fridge.drawing.palette import Floats, muted
from examples.fridge.drawing.texture import FLOORS, WALLS, Grid, lining, rack


@dataclass(frozen=True, slots=True)
class Room:
    """A backdrop: image (H, W, 3) float32 in [0, 1], and how far down (0 to 1) the floor begins."""

    image: Floats
    horizon: float


def draw_room(rng: np.random.Generator, size: tuple[int, int]) -> Room:
    """Return a room of `size` (width, height): wall above, floor below, perhaps the edge of a table or shelf."""
    width, height = size
    horizon = rng.uniform(0.4, 0.64)
    line = round(horizon * height)
    fridge = rng.random() < 0.35
    wall = lining if fridge else WALLS[rng.integers(len(WALLS))]
    floor = rack if fridge else FLOORS[rng.integers(len(FLOORS))]
    above = wall(rng, _grid(width, line, height))
    below = floor(rng, _grid(width, height - line, height))
    # Shade on both sides of the corner between wall and floor makes the floor look level.
    gloom = rng.uniform(0.05, 0.3)
    above = above * (1.0 - gloom * np.exp(np.linspace(-12, 0, line)))[:, None, None]
    below = below * (1.0 - gloom * np.exp(np.linspace(0, -8, height - line)))[:, None, None]
    canvas = np.concatenate([above, below]).astype(np.float32)
    if fridge or rng.random() < 0.2:
        _upper_shelf(rng, canvas)
    if rng.random() < 0.3:
        _front_edge(rng, canvas)
    return Room(np.clip(canvas, 0.0, 1.0), horizon)


def _grid(width: int, rows: int, height: int) -> Grid:
    right = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height
    down = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    return Grid(right[None], down[:, None])


def _upper_shelf(rng: np.random.Generator, canvas: Floats) -> None:
    """A board high on the wall, with its shadow."""
    height = len(canvas)
    top, thick = round(height * rng.uniform(-0.02, 0.12)), max(2, round(height * rng.uniform(0.015, 0.04)))
    top = max(top, 0)
    fade = np.exp(np.linspace(0, -5, max(2, round(height * 0.12))))
    shaded = canvas[top + thick : top + thick + len(fade)]
    shaded *= (1.0 - 0.35 * fade)[: len(shaded), None, None]
    canvas[top : top + thick] = muted(rng) * np.linspace(1.05, 0.85, thick)[:, None, None]


def _front_edge(rng: np.random.Generator, canvas: Floats) -> None:
    """The front edge of the table or shelf at the foot of the canvas."""
    height = len(canvas)
    start = round(height * rng.uniform(0.95, 0.985))
    canvas[start:] *= rng.uniform(0.45, 0.75)
    canvas[start : start + max(1, height // 160)] = np.clip(canvas[start - 1] * 1.35, 0.0, 1.0)
