"""Ranks regions by their mean attribution: the second half of XRAI (https://arxiv.org/abs/1906.02825, 3.2).

The results equal those of PAIR's `saliency` 0.2.1 bit for bit. PAIR adds up every pixel once for each round and region;
here each region's sum over its uncovered pixels is kept up to date, so every pixel is counted once in the whole run.
"""

import numpy as np
from numpy.typing import NDArray

from explain.regions.segments import Segments, segments
from models.machine_code import compiled

Values = NDArray[np.floating]
Sums = NDArray[np.float64]

_MIN_NEW_PIXELS = 50  # that a region must add to be taken

# numpy adds float32 in blocks: the largest error of its sum, relative to the sum of magnitudes
_ROUNDING = 4e-6


def ranked(values: Values, regions: Segments, *, fast: bool, area_threshold: float = 1.0) -> NDArray[np.float64]:
    """Give each pixel the mean attribution of the region it was taken with: float64 [H, W], its sum that of `values`.

    `values` is float32 or float64 [H, W], finite. Full ranking takes one region in each round: that whose uncovered
    pixels have the highest mean. It ends when more than `area_threshold` (0 to 1) of the image is covered. `fast` ranks
    all regions once, by the mean over all their pixels. Pixels left over share their mean.
    Raises ValueError where values and regions have different sizes.
    """
    if values.shape != (regions.height, regions.width):
        raise ValueError(f"The values are {values.shape}, but the regions {(regions.height, regions.width)}.")
    flat = np.array(values).reshape(-1)
    result = np.full(flat.size, -np.inf)
    covered = np.zeros(flat.size, bool)
    if fast:
        _take_in_order(flat, regions, result, covered)
    else:
        _take_best(flat, regions, result, covered, area_threshold)
    if not covered.all():
        result[~covered] = flat[~covered].mean()
    return result.reshape(values.shape)


def warm_up() -> None:
    """Compile the loops of segments and rankings, so that no request waits for it.

    This takes 5 seconds the first time on a machine, and half a second where the compiled code was cached.
    """
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8] = 255
    ranked(np.zeros((16, 16), np.float32), segments(image), fast=False)


def _take_in_order(flat: Values, regions: Segments, result: Sums, covered: NDArray[np.bool_]) -> None:
    means = [flat[pixels].mean() if len(pixels) else -np.inf for pixels in map(regions.region, range(len(regions)))]
    for number in np.argsort(-np.array(means), kind="stable"):
        pixels = regions.region(number)
        new = pixels[~covered[pixels]]
        if len(new) >= _MIN_NEW_PIXELS:
            result[new] = flat[new].mean()
            covered[new] = True


def _take_best(
    flat: Values, regions: Segments, result: Sums, covered: NDArray[np.bool_], area_threshold: float
) -> None:
    starts, regions_of = _regions_of_pixels(regions.starts, regions.pixels, flat.size)
    totals = _totals(flat, regions.starts, regions.pixels)
    sums, magnitudes, counts = totals
    area = 0
    while area / flat.size <= area_threshold:
        candidates = np.flatnonzero(counts >= _MIN_NEW_PIXELS)
        if not len(candidates):
            return
        means = sums[candidates] / counts[candidates]
        errors = _ROUNDING * magnitudes[candidates] / counts[candidates]
        new, best_mean = regions.pixels[:0], -np.inf
        # numpy's own sum decides as in PAIR; it is computed only for regions that rounding could make the best
        for number in candidates[means + errors >= (means - errors).max()]:
            pixels = regions.region(number)
            pixels = pixels[~covered[pixels]]
            mean = flat[pixels].mean()
            if mean > best_mean:
                new, best_mean = pixels, mean
        result[new] = best_mean
        covered[new] = True
        area += len(new)
        _subtract(new, flat, starts, regions_of, totals)


@compiled
def _totals(flat: Values, starts: NDArray[np.int64], pixels: NDArray[np.int32]) -> Sums:
    """Return the sum of the values of each region, the sum of their magnitudes, and their number: [3, R]."""
    totals = np.zeros((3, len(starts) - 1))
    for number in range(len(starts) - 1):
        for at in range(starts[number], starts[number + 1]):
            value = np.float64(flat[pixels[at]])
            totals[0, number] += value
            totals[1, number] += abs(value)
        totals[2, number] = starts[number + 1] - starts[number]
    return totals


@compiled
def _regions_of_pixels(
    starts: NDArray[np.int64], pixels: NDArray[np.int32], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Invert the lists of pixels: the regions of pixel p are `regions_of[firsts[p]:firsts[p + 1]]`."""
    firsts = np.zeros(size + 2, np.int64)
    for pixel in pixels:
        firsts[pixel + 2] += 1
    for pixel in range(size):
        firsts[pixel + 2] += firsts[pixel + 1]
    regions_of = np.empty(len(pixels), np.int32)
    for number in range(len(starts) - 1):
        for at in range(starts[number], starts[number + 1]):
            regions_of[firsts[pixels[at] + 1]] = number
            firsts[pixels[at] + 1] += 1
    return firsts[:-1], regions_of


@compiled
def _subtract(
    new: NDArray[np.int32], flat: Values, starts: NDArray[np.int64], regions_of: NDArray[np.int32], totals: Sums
) -> None:
    for pixel in new:
        value = np.float64(flat[pixel])
        for at in range(starts[pixel], starts[pixel + 1]):
            totals[0, regions_of[at]] -= value
            totals[1, regions_of[at]] -= abs(value)
            totals[2, regions_of[at]] -= 1
