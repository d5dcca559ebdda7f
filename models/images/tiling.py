"""Tiling: an image is cut into overlapping tiles, so that small objects appear large; their boxes are joined again.

The grid, its rounding and the suppression between tiles are those of AutoML for Images.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of an image, in whole pixels; `right` and `bottom` are the first pixels beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top


def tiles(width: int, height: int, grid: tuple[int, int], overlap: float) -> list[Tile]:
    """Cut an image into `grid` (columns, rows) tiles, column after column; `overlap` in [0, 1) is a share of a tile.

    The last tile of a row or column ends at the edge of the image. Tiles that cover a tiny image whole are left out.
    ValueError where a tile would be empty.
    """
    lefts, rights = _stretches(width, grid[0], overlap)
    tops, bottoms = _stretches(height, grid[1], overlap)
    cut = [
        Tile(left, top, right, bottom)
        for left, right in zip(lefts, rights, strict=True)
        for top, bottom in zip(tops, bottoms, strict=True)
    ]
    if any(min(tile.size) < 1 for tile in cut):
        raise ValueError(f"a grid of {grid[0]}x{grid[1]} tiles leaves nothing of a picture of {width}x{height} pixels")
    return [tile for tile in cut if tile.size != (width, height)]


def surviving(
    boxes: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    owners: NDArray[np.integer[Any]],
    threshold: float,
) -> NDArray[np.intp]:
    """Return the indexes, in growing order, of the boxes to keep where several tiles show the same object.

    `boxes` are [N, 4] (left, top, right, bottom) in common coordinates; `owners` [N] are the numbers of their tiles.
    From the best score down, a box suppresses the boxes of its label from other tiles whose IoU with it is above
    `threshold`.
    """
    kept = np.ones(len(boxes), dtype=bool)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    for number in np.argsort(-scores, kind="stable"):
        if not kept[number]:
            continue
        others = np.flatnonzero(kept & (labels == labels[number]) & (owners != owners[number]))
        low = np.maximum(boxes[others, :2], boxes[number, :2])
        high = np.minimum(boxes[others, 2:], boxes[number, 2:])
        shared = (high - low).clip(0).prod(1)
        # without a division, as boxes may be empty
        kept[others[shared > threshold * (areas[others] + areas[number] - shared)]] = False
    return np.flatnonzero(kept)


def _stretches(size: int, count: int, overlap: float) -> tuple[list[int], list[int]]:
    # float32, rounded half to even, as in the original
    length = np.float32(size / (overlap + (1 - overlap) * count))
    starts: NDArray[np.float32] = np.arange(count, dtype=np.float32) * np.float32((1 - overlap) * length)
    return _rounded(starts), _rounded(starts + length)


def _rounded(values: NDArray[np.float32]) -> list[int]:
    return [int(value) for value in np.rint(values)]
