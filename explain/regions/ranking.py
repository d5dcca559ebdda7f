"""Ranks regions by how much attribution they hold: the second half of XRAI (https://arxiv.org/abs/1906.02825, 3.2).

Equal bit for bit to PAIR's `saliency` 0.2.1, but every pixel is counted once in the whole run instead of once a round
and region: each region's sum over what is not covered yet is kept up to date.
"""

import numpy as np
from numpy.typing import NDArray

from explain.regions.segments import Segments, segments
from models.machine_code import compiled

Values = NDArray[np.floating]
Sums = NDArray[np.float64]

_FEWEST = 50  # pixels that a region must add to be taken

# numpy adds float32 in blocks: its sum is this close to the exact one, relative to the sum of magnitudes
_ROUNDING = 4e-6


def ranked(values: Values, regions: Segments, *, fast: bool, area_threshold: float = 1.0) -> NDArray[np.float64]:
    """Give each pixel the mean attribution of the region it was taken with: float64 [H, W], its sum that of `values`.

    `values` is float32 or float64 [H, W], finite. Full ranking takes, round by round, the region whose pixels not yet
    covered have the highest mean, until more than `area_threshold` (0 to 1) of the picture is covered. `fast` ranks
    once, by the mean over whole regions, and covers all. Pixels left over share their mean.
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

    The first time on a machine this takes 5 seconds, and half a second where the code could be kept.
    """
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:8] = 255
    ranked(np.zeros((16, 16), np.float32), segments(picture), fast=False)


def _take_in_order(flat: Values, regions: Segments, result: Sums, covered: NDArray[np.bool_]) -> None:
    means = [flat[pixels].mean() if len(pixels) else -np.inf for pixels in map(regions.region, range(len(regions)))]
    for number in np.argsort(-np.array(means), kind="stable"):
        pixels = regions.region(number)
        fresh = pixels[~covered[pixels]]
        if len(fresh) >= _FEWEST:
            result[fresh] = flat[fresh].mean()
            covered[fresh] = True


def _take_best(
    flat: Values, regions: Segments, result: Sums, covered: NDArray[np.bool_], area_threshold: float
) -> None:
    starts, owners = _owners(regions.starts, regions.pixels, flat.size)
    totals = _totals(flat, regions.starts, regions.pixels)
    sums, magnitudes, counts = totals
    area = 0
    while area / flat.size <= area_threshold:
        alive = np.flatnonzero(counts >= _FEWEST)
        if not len(alive):
            return
        means, doubts = sums[alive] / counts[alive], _ROUNDING * magnitudes[alive] / counts[alive]
        fresh, gain = regions.pixels[:0], -np.inf
        # only regions that rounding could make the best are worth the very sum that decides between them
        for number in alive[means + doubts >= (means - doubts).max()]:
            pixels = regions.region(number)
            pixels = pixels[~covered[pixels]]
            mean = flat[pixels].mean()
            if mean > gain:
                fresh, gain = pixels, mean
        result[fresh] = gain
        covered[fresh] = True
        area += len(fresh)
        _subtract(fresh, flat, starts, owners, totals)


@compiled
def _totals(flat: Values, starts: NDArray[np.int64], pixels: NDArray[np.int32]) -> Sums:
    """Return of each region the sum of its values, the sum of their magnitudes and their number, [3, R]."""
    totals = np.zeros((3, len(starts) - 1))
    for number in range(len(starts) - 1):
        for at in range(starts[number], starts[number + 1]):
            value = np.float64(flat[pixels[at]])
            totals[0, number] += value
            totals[1, number] += abs(value)
        totals[2, number] = starts[number + 1] - starts[number]
    return totals


@compiled
def _owners(
    starts: NDArray[np.int64], pixels: NDArray[np.int32], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Turn the lists of pixels round: the regions of pixel p are `owners[firsts[p]:firsts[p + 1]]`."""
    firsts = np.zeros(size + 2, np.int64)
    for pixel in pixels:
        firsts[pixel + 2] += 1
    for pixel in range(size):
        firsts[pixel + 2] += firsts[pixel + 1]
    owners = np.empty(len(pixels), np.int32)
    for number in range(len(starts) - 1):
        for at in range(starts[number], starts[number + 1]):
            owners[firsts[pixels[at] + 1]] = number
            firsts[pixels[at] + 1] += 1
    return firsts[:-1], owners


@compiled
def _subtract(
    fresh: NDArray[np.int32], flat: Values, starts: NDArray[np.int64], owners: NDArray[np.int32], totals: Sums
) -> None:
    for pixel in fresh:
        value = np.float64(flat[pixel])
        for at in range(starts[pixel], starts[pixel + 1]):
            totals[0, owners[at]] -= value
            totals[1, owners[at]] -= abs(value)
            totals[2, owners[at]] -= 1
