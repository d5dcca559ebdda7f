"""Tiling: a picture cut into overlapping tiles, so that small objects are seen large, and what they show joined again.

The grid, its rounding and the suppression between tiles are those of AutoML for Images.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture, in whole pixels of it; `right` and `bottom` are the first beyond."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top


def tiles(width: int, height: int, grid: tuple[int, int], overlap: float) -> list[Tile]:
    """Cut a picture into `grid` (columns, rows) tiles, column after column; `overlap` in [0, 1) is a share of a tile.

    The last tile of a row or column ends where the picture ends. Tiles that are the whole of a tiny picture are left
    out. ValueError where a tile would be empty.
    """
    lefts, rights = _stretches(width, grid[0], overlap)
    tops, bottoms = _stretches(height, grid[1], overlap)
    found = [
        Tile(left, top, right, bottom)
        for left, right in zip(lefts, rights, strict=True)
        for top, bottom in zip(tops, bottoms, strict=True)
    ]
    if any(min(tile.size) < 1 for tile in found):
        raise ValueError(f"a grid of {grid[0]}x{grid[1]} tiles leaves nothing of a picture of {width}x{height} pixels")
    return [tile for tile in found if tile.size != (width, height)]


def surviving(
    boxes: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    owners: NDArray[np.integer[Any]],
    threshold: float,
) -> NDArray[np.intp]:
    """Return which boxes are left, as growing indexes, where several tiles have seen the same object.

    `boxes` are [N, 4] (left, top, right, bottom) in one frame; `owners` [N] are the numbers of their tiles. From the
    best score down, a box suppresses others of its label from other tiles whose IoU with it is above `threshold`.
    """
    left = np.ones(len(boxes), dtype=bool)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    for number in np.argsort(-scores, kind="stable"):
        if not left[number]:
            continue
        rivals = np.flatnonzero(left & (labels == labels[number]) & (owners != owners[number]))
        low = np.maximum(boxes[rivals, :2], boxes[number, :2])
        high = np.minimum(boxes[rivals, 2:], boxes[number, 2:])
        shared = (high - low).clip(0).prod(1)
        # compared without dividing, as boxes may be empty
        left[rivals[shared > threshold * (areas[rivals] + areas[number] - shared)]] = False
    return np.flatnonzero(left)


def _stretches(size: int, count: int, overlap: float) -> tuple[list[int], list[int]]:
    # in float32 and rounded half to even, as the original computes them
    length = np.float32(size / (overlap + (1 - overlap) * count))
    starts: NDArray[np.float32] = np.arange(count, dtype=np.float32) * np.float32((1 - overlap) * length)
    return _rounded(starts), _rounded(starts + length)


def _rounded(values: NDArray[np.float32]) -> list[int]:
    return [int(value) for value in np.rint(values)]
