"""Resizes a picture as Pillow 13 does, bit for bit, but only what a crop keeps of it, and several times as fast.

Each result is a weighted sum of the values that the filter covers, which widens as the picture shrinks: along one axis
after the other, rounded to bytes after each. Weights are whole numbers, so that the order of sums is free.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.images.pixels import pixels_of
from models.machine_code import compiled

_BITS = 22  # of the fraction of a weight
_TOGETHER = 32  # rows that are worked on side by side, so that a processor computes many at once
_KEPT = 128  # axes, as most pictures that a server sees are of a few sizes; each of some kilobytes

Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Filter:
    """How much a value counts by its distance from the centre of a result, up to `reach`; in pixels."""

    weight: Callable[[Values], Values]
    reach: float


def _linear(distance: Values) -> Values:
    return np.where(distance < 1, 1 - distance, 0.0)


def _cubic(distance: Values) -> Values:
    # Keys' kernel (https://doi.org/10.1109/TASSP.1981.1163711) with a slope of -0.5 where the first lobe ends
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * -0.5
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))


def _lanczos(distance: Values) -> Values:
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)


FILTERS = {"bilinear": Filter(_linear, 1.0), "bicubic": Filter(_cubic, 2.0), "lanczos": Filter(_lanczos, 3.0)}


def resized(image: Image.Image, size: tuple[int, int], box: Box, way: Filter) -> Pixels:
    """Resize a picture of mode RGB to `size`, width and height, and return a part of it: uint8 [H, W, 3].

    `box` is that part, left, top, right and bottom, within `size` and not empty.
    """
    left, top, right, bottom = box
    columns = _ResizeAxis.of(image.width, size[0], left, right, way)
    rows = _ResizeAxis.of(image.height, size[1], top, bottom, way)
    # which axis comes first shows in the rounding; earlier versions of Pillow always begin with the columns
    down_first = 0 < image.height - size[1] > 2 * (image.width - size[0])
    part = (_down_first if down_first else _across_first)(pixels_of(image), columns, rows)
    return part.reshape(bottom - top, right - left, 3)


def _across_first(pixels: Pixels, columns: "_ResizeAxis", rows: "_ResizeAxis") -> Pixels:
    lines = np.empty((rows.stop - rows.start, 3 * len(columns.first)), np.uint8)
    _across(pixels[rows.start : rows.stop], columns.start, columns.first, columns.count, columns.weights, lines)
    part = np.empty((len(rows.first), lines.shape[1]), np.uint8)
    _down(lines, 0, 0, rows.first, rows.count, rows.weights, part)
    return part


def _down_first(pixels: Pixels, columns: "_ResizeAxis", rows: "_ResizeAxis") -> Pixels:
    lines = np.empty((len(rows.first), 4 * (columns.stop - columns.start)), np.uint8)
    _down(pixels, rows.start, 4 * columns.start, rows.first, rows.count, rows.weights, lines)
    part = np.empty((len(lines), 3 * len(columns.first)), np.uint8)
    _across(lines, 0, columns.first, columns.count, columns.weights, part)
    return part


@dataclass(frozen=True, slots=True)
class _ResizeAxis:
    """What results take of the values from `start` up to `stop`.

    Result k is the sum of `weights[k, j]` times value `start + first[k] + j` for j up to `count[k]`.
    """

    first: NDArray[np.int32]
    count: NDArray[np.int32]
    weights: NDArray[np.int32]
    start: int
    stop: int

    @classmethod
    @lru_cache(maxsize=_KEPT)
    def of(cls, before: int, after: int, start: int, stop: int, way: Filter) -> "_ResizeAxis":
        """Weigh `before` values for the results from `start` up to `stop` of `after`."""
        scale = before / after
        wide = max(scale, 1.0)
        centres = (np.arange(start, stop) + 0.5) * scale
        first = (centres - way.reach * wide + 0.5).astype(np.int64).clip(0)
        last = (centres + way.reach * wide + 0.5).astype(np.int64).clip(None, before)
        count = last - first
        place = np.arange(count.max())
        distance = np.abs(place + first[:, None] - centres[:, None] + 0.5) * (1 / wide)
        shares = np.where(place < count[:, None], way.weight(distance), 0.0)
        # one by one, as the rounding of a sum depends on its order
        shares /= np.add.accumulate(shares, axis=1)[:, -1:]
        weights = np.trunc(shares * 2**_BITS + np.copysign(0.5, shares)).astype(np.int32)
        begin = int(first.min())
        return cls((first - begin).astype(np.int32), count.astype(np.int32), weights, begin, int(last.max()))


@compiled
def _across(  # noqa: PLR0917 - compiled functions take arrays and numbers, one by one
    pixels: Pixels,
    start: int,
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    lines: Pixels,
) -> None:
    """Resize each row of uint8 [rows, 4 * columns], from column `start` on, into the same row of `lines`.

    Of four bytes a pixel the last is left out.
    """
    width, read = 3 * len(first), first[-1] + count[-1]
    size = 3 * _TOGETHER
    turned = np.empty((3 * read, _TOGETHER), np.uint8)
    values, found = turned.reshape(-1), np.empty((width, _TOGETHER), np.uint8)
    results, sums = found.reshape(-1), np.empty(size, np.int32)
    for top in range(0, len(pixels), _TOGETHER):
        rows = min(_TOGETHER, len(pixels) - top)
        for row in range(rows):
            line = pixels[top + row]
            for column in range(read):
                at = 4 * (start + column)
                for channel in range(3):
                    turned[3 * column + channel, row] = line[at + channel]
        for number in range(len(first)):
            sums[:] = 1 << (_BITS - 1)
            for tap in range(count[number]):
                weight, at = weights[number, tap], (first[number] + tap) * size
                under = values[at : at + size]
                for place in range(size):
                    sums[place] += np.int32(under[place]) * weight
            result = results[number * size : (number + 1) * size]
            for place in range(size):
                result[place] = np.uint8(min(max(sums[place] >> _BITS, 0), 255))
        for row in range(rows):
            line = lines[top + row]
            for place in range(width):
                line[place] = found[place, row]


@compiled
def _down(  # noqa: PLR0917 - as above
    lines: Pixels,
    top: int,
    left: int,
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    part: Pixels,
) -> None:
    """Resize each column of uint8 [rows, width], from row `top` and column `left` on, into a column of `part`."""
    width = part.shape[1]
    sums = np.empty(width, np.int32)
    for number in range(len(first)):
        sums[:] = 1 << (_BITS - 1)
        for tap in range(count[number]):
            weight, under = weights[number, tap], lines[top + first[number] + tap, left : left + width]
            for place in range(width):
                sums[place] += np.int32(under[place]) * weight
        result = part[number]
        for place in range(width):
            result[place] = np.uint8(min(max(sums[place] >> _BITS, 0), 255))
