"""Resizes an image as Pillow 13 does, bit for bit, but only the part that a crop keeps, and several times as fast.

Each result is a weighted sum of the values under the filter, which widens as the image shrinks. One axis follows the
other, and each rounds its results to bytes. Weights are whole numbers, so sums may be added in any order.
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
_ROWS = 32  # computed side by side, so that a processor handles many at once
_KEPT = 128  # axes of some kilobytes each; most images of a server have one of a few sizes

Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Filter:
    """The weight of a value by its distance from the centre of a result, up to `reach`; both in pixels."""

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


def resized(image: Image.Image, size: tuple[int, int], box: Box, kernel: Filter) -> Pixels:
    """Resize an image of mode RGB to `size` (width, height) and return a part of the result: uint8 [H, W, 3].

    `box` is that part: left, top, right, bottom within `size`, not empty.
    """
    left, top, right, bottom = box
    columns = _ResizeAxis.of(image.width, size[0], left, right, kernel)
    rows = _ResizeAxis.of(image.height, size[1], top, bottom, kernel)
    # the order of the axes shows in the rounding; Pillow before 13 always begins with the columns
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
    """The weights with which results sum up the values from `start` up to `stop`.

    Result k is the sum of `weights[k, j]` times value `start + first[k] + j` for j up to `count[k]`.
    """

    first: NDArray[np.int32]
    count: NDArray[np.int32]
    weights: NDArray[np.int32]
    start: int
    stop: int

    @classmethod
    @lru_cache(maxsize=_KEPT)
    def of(cls, before: int, after: int, start: int, stop: int, kernel: Filter) -> "_ResizeAxis":
        """Return the weights for resizing `before` values to `after`, for the results from `start` up to `stop`."""
        scale = before / after
        stretch = max(scale, 1.0)
        centres = (np.arange(start, stop) + 0.5) * scale
        first = (centres - kernel.reach * stretch + 0.5).astype(np.int64).clip(0)
        last = (centres + kernel.reach * stretch + 0.5).astype(np.int64).clip(None, before)
        count = last - first
        place = np.arange(count.max())
        distance = np.abs(place + first[:, None] - centres[:, None] + 0.5) * (1 / stretch)
        shares = np.where(place < count[:, None], kernel.weight(distance), 0.0)
        # added one by one, as the rounding of a floating-point sum depends on its order
        shares /= np.add.accumulate(shares, axis=1)[:, -1:]
        weights = np.trunc(shares * 2**_BITS + np.copysign(0.5, shares)).astype(np.int32)
        begin = int(first.min())
        return cls((first - begin).astype(np.int32), count.astype(np.int32), weights, begin, int(last.max()))


@compiled
def _across(  # noqa: PLR0917 - compiled functions take arrays and numbers, not objects
    pixels: Pixels,
    start: int,
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    lines: Pixels,
) -> None:
    """Resize each row of uint8 [rows, 4 * columns], from column `start` on, into the same row of `lines`.

    The last of the four bytes of a pixel is left out.
    """
    width, read = 3 * len(first), first[-1] + count[-1]
    size = 3 * _ROWS
    turned = np.empty((3 * read, _ROWS), np.uint8)
    values, columns = turned.reshape(-1), np.empty((width, _ROWS), np.uint8)
    results, sums = columns.reshape(-1), np.empty(size, np.int32)
    for top in range(0, len(pixels), _ROWS):
        rows = min(_ROWS, len(pixels) - top)
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
                covered = values[at : at + size]
                for place in range(size):
                    sums[place] += np.int32(covered[place]) * weight
            result = results[number * size : (number + 1) * size]
            for place in range(size):
                result[place] = np.uint8(min(max(sums[place] >> _BITS, 0), 255))
        for row in range(rows):
            line = lines[top + row]
            for place in range(width):
                line[place] = columns[place, row]


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
            weight, covered = weights[number, tap], lines[top + first[number] + tap, left : left + width]
            for place in range(width):
                sums[place] += np.int32(covered[place]) * weight
        result = part[number]
        for place in range(width):
            result[place] = np.uint8(min(max(sums[place] >> _BITS, 0), 255))
