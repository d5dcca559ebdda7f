"""The pixels of objects, drawn from outlines and masks at the size that is needed and for the part that is seen.

Shares of an image become pixels of what is seen by `share * scale + offset`, for x and y each.
"""

import numpy as np
from numpy.typing import NDArray

from data.outlines import pixels_of_runs, rasterised
from data.record import Outline, RunLengths
from training.detection.true_objects import Shape

Pair = NDArray[np.float64]


def drawn(shape: Shape, offset: Pair, scale: Pair, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Draw an object, bool [height, width] of `size`: the pixels whose middle it covers."""
    if isinstance(shape, RunLengths):
        return _resampled(pixels_of_runs(shape), offset, scale, size)
    return rasterised([_moved(outline, offset, scale, size) for outline in shape], size)


def _moved(outline: Outline, offset: Pair, scale: Pair, size: tuple[int, int]) -> Outline:
    points = (np.array(outline).reshape(-1, 2) * scale + offset) / size[::-1]
    return tuple(points.ravel().tolist())


def _resampled(pixels: NDArray[np.bool_], offset: Pair, scale: Pair, size: tuple[int, int]) -> NDArray[np.bool_]:
    rows, columns = (
        (np.arange(length) + 0.5 - start) / stretch * cells
        for length, start, stretch, cells in zip(size, offset[::-1], scale[::-1], pixels.shape, strict=True)
    )
    seen: NDArray[np.bool_] = pixels[_cells(rows, pixels.shape[0])[:, None], _cells(columns, pixels.shape[1])]
    seen &= _inside(rows, pixels.shape[0])[:, None] & _inside(columns, pixels.shape[1])
    return seen


def _cells(places: Pair, cells: int) -> NDArray[np.intp]:
    return np.floor(places).clip(0, cells - 1).astype(np.intp)


def _inside(places: Pair, cells: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (places >= 0) & (places < cells)
    return inside
