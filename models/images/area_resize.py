"""Resizes images as in the training of detectors: by covered area where they shrink, linearly where they grow.

Both are separable: an image is multiplied by one sparse matrix for its rows and one for its columns. Equal to OpenCV's
INTER_AREA and INTER_LINEAR up to rounding, at most one level of 255.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Values of the image that are floating point at any one time; more would not fit into a processor's cache
_VALUES_AT_ONCE = 2**19


@dataclass(frozen=True, slots=True)
class _Weights:
    """The weights with which each of `len(starts) - 1` results sums up the `length` values on one axis.

    Result k is the sum of `shares[j]` times value `sources[j]` for j from `starts[k]` up to `starts[k + 1]`.
    """

    shares: NDArray[np.float32]
    sources: NDArray[np.int32]
    starts: NDArray[np.int32]
    length: int

    def part(self, first: int, last: int) -> tuple[Any, int, int]:
        """Return the matrix for the results from `first` up to `last`, and the range of values that it multiplies."""
        low, high = int(self.starts[first]), int(self.starts[last])
        sources = self.sources[low:high]
        begin, end = int(sources[0]), int(sources[-1]) + 1  # sources never fall from one result to the next
        content = (self.shares[low:high], sources - np.int32(begin), self.starts[first : last + 1] - np.int32(low))
        return sparse.csr_array(content, shape=(last - first, end - begin)), begin, end


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize uint8 [h, w, channels] to [height, width, channels], all at least 1. `image` may have any strides."""
    before_h, before_w, channels = image.shape
    down, across = _weights(before_h, height), _weights(before_w, width)
    columns, _, _ = across.part(0, width)
    resized = np.empty((height, width, channels), dtype=np.uint8)
    rows_at_once = max(1, int(_VALUES_AT_ONCE / (max(1, before_h / height) * max(before_w, width) * channels)))
    for top in range(0, height, rows_at_once):
        bottom = min(top + rows_at_once, height)
        rows, begin, end = down.part(top, bottom)
        values = image[begin:end].astype(np.float32, order="C").reshape(end - begin, -1)
        lines = (rows @ values).reshape(bottom - top, before_w, channels)
        flat = columns @ np.ascontiguousarray(lines.swapaxes(0, 1)).reshape(before_w, -1)
        part = flat.reshape(width, bottom - top, channels).swapaxes(0, 1)
        resized[top:bottom] = np.rint(part).clip(0, 255)
    return resized


def _weights(before: int, after: int) -> _Weights:
    return _areas(before, after) if after < before else _lines(before, after)


def _areas(before: int, after: int) -> _Weights:
    """Each result is the mean of the values below it; values at its ends count with the part that it covers."""
    # in units of 1 / (before * after) of the axis, a value is `after` wide and a result `before`: whole numbers
    edges = np.arange(after + 1, dtype=np.int64) * before
    first, last = edges[:-1] // after, -(-edges[1:] // after)
    starts = np.concatenate([[0], np.cumsum(last - first)])
    result = np.repeat(np.arange(after), last - first)
    sources = np.arange(starts[-1]) - starts[result] + first[result]
    ends = np.minimum((sources + 1) * after, edges[result + 1])
    shares = (ends - np.maximum(sources * after, edges[result])) / before
    return _Weights(shares.astype(np.float32), sources.astype(np.int32), starts.astype(np.int32), before)


def _lines(before: int, after: int) -> _Weights:
    """Each result lies between the centres of two values; beyond the outermost centre it equals that value."""
    places = ((np.arange(after) + 0.5) * (before / after) - 0.5).clip(0, before - 1)
    low = np.floor(places).astype(np.int32)
    beyond = places - low
    shares = np.stack([1 - beyond, beyond], 1).ravel()
    sources = np.stack([low, np.minimum(low + 1, before - 1)], 1).ravel()
    starts = np.arange(after + 1, dtype=np.int32) * 2
    return _Weights(shares.astype(np.float32), sources.astype(np.int32), starts, before)
