"""python -m benchmarks.regions: what XRAI costs besides its gradients, ours and PAIR's, on one core in one run.

Prints milliseconds, the best of several repetitions, and whether the results are equal bit by bit.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from saliency.core import xrai as pair
from scipy import ndimage

from explain.regions.ranking import ranked, warm_up
from explain.regions.segments import segments


def busy(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Paint soft blotches, uint8 [side, side, 3], that split into as many regions as a photograph."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(side, side, 3)), (side / 56, side / 56, 0))
    values = (noise - noise.min()) / np.ptp(noise) * 255
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = values.astype(np.uint8)
    return pixels


def best(function: Callable[[], Any], repetitions: int) -> tuple[float, Any]:
    """Return the fewest milliseconds, and the result."""
    fewest, result = float("inf"), None
    for _ in range(repetitions):
        start = time.perf_counter()
        result = function()
        fewest = min(fewest, (time.perf_counter() - start) * 1000)
    return fewest, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=224, help="of the image, in pixels")
    side = parser.parse_args().side
    pixels = busy(side)
    values = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(side, side)), 2).astype(np.float32)
    start = time.perf_counter()
    warm_up()
    print(f"compiling, or loading what was compiled: {time.perf_counter() - start:.1f} s")

    cut, regions = best(lambda: segments(pixels), 9)
    pairs_cut, masks = best(lambda: pair._get_segments_felzenszwalb(pixels.astype(np.float32)), 1)
    print(f"{len(regions)} regions of {side}x{side} pixels\n{'':8}{'ours':>8}{'PAIR':>8}  same bits")
    print(f"{'regions':8}{cut:8.1f}{pairs_cut:8.0f}  {_same(regions, masks)}")
    for name, fast, rank in (("fast", True, pair.XRAI._xrai_fast), ("full", False, pair.XRAI._xrai)):
        own, found = best(partial(ranked, values, regions, fast=fast), 9)
        pairs, expected = best(partial(rank, attr=values, segs=masks), 1)
        print(f"{name:8}{own:8.1f}{pairs:8.0f}  {np.array_equal(found, expected[0])}")
        print(f"{'in all':8}{cut + own:8.1f}{pairs_cut + pairs:8.0f}")


def _same(regions: Any, masks: list[Any]) -> bool:
    ours = [region for region in map(regions.region, range(len(regions))) if len(region)]
    expected = [np.flatnonzero(mask) for mask in masks if mask.any()]
    return len(ours) == len(expected) and all(map(np.array_equal, ours, expected))


if __name__ == "__main__":
    main()
