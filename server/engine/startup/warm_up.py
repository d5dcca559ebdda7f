"""Warm-up: runs batches of an example until their times are stable, and chooses the best size of a batch."""

import logging
from collections.abc import Sequence

import torch

from models.classifier import HALFWAY_FROM
from server.engine.device import Device, out_of_memory

logger = logging.getLogger(__name__)

Timings = Sequence[tuple[int, float]]  # images in a batch, its seconds

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_BUDGET_S = 2.0
_LONG_S = 0.2  # a batch that takes longer is repeated once, others twice
_SHORT_S = 0.03  # where others use the device too, the time of a shorter batch predicts little about larger ones
_CLOSE_TO_BEST = 0.97
# each batch spends this on cores of decoders and HTTP processes, which work between two batches; measured in
# docs/measurements/batches-on-cpus.md
_OVERHEAD_S = 0.008


def warm_up(device: Device, max_images: int, overhead_s: float = 0.0) -> list[tuple[int, float]]:
    """Run batches of an example, of up to `max_images` (0: while larger ones help), for about two seconds.

    Returns (images, best seconds) in the order of sizes. `overhead_s` is as in `best_batch`.
    """
    timings: list[tuple[int, float]] = []
    for count in _sizes(max_images):
        if timings and 2 * count * timings[0][1] > _BUDGET_S:
            break
        if timings and not max_images and not _still_helps(timings, overhead_s):
            break
        try:
            timings.append((count, _stable_s(device, count)))
        except Exception as error:
            if not timings or not out_of_memory(error):
                raise
            logger.warning("out of memory in the warm-up images=%d", count)
            break
    largest = best_batch(timings, overhead_s)
    # on a GPU, a batch between two of these sizes is padded to the larger one, or to one halfway
    halfway = [3 * count // 4 for count, _ in timings if count <= largest and 3 * count // 4 >= HALFWAY_FROM]
    return sorted(timings + [(count, _stable_s(device, count)) for count in halfway])


def best_batch(timings: Timings, overhead_s: float = 0.0) -> int:
    """Choose the smallest batch whose images per second come close to the best: a larger one would only add latency.

    `overhead_s` are the seconds of each batch beside its forward pass.
    """
    rates = {count: count / (seconds + overhead_s) for count, seconds in timings}
    enough = _CLOSE_TO_BEST * max(rates.values())
    return min(count for count, rate in rates.items() if rate >= enough)


def sizes_to_try(timings: Timings, overhead_s: float) -> list[int]:
    """Return the sizes of batches that matter to a runtime: up to twice the best."""
    max_images = 2 * best_batch(timings, overhead_s)
    return [count for count, _ in timings if count <= max_images]


def batch_overhead_s(device: torch.device) -> float:
    """Return the seconds of each batch beside its forward pass in which the device does not compute."""
    return _OVERHEAD_S if device.type == "cpu" else 0.0


def _stable_s(device: Device, count: int) -> float:
    # the first passes of a size are slow, until memory has been allocated for it
    first = device.time_example(count)
    return min(first, *(device.time_example(count) for _ in range(1 if first > _LONG_S else 2)))


def _still_helps(timings: Timings, overhead_s: float) -> bool:
    if len(timings) == 1 or timings[-1][1] < _SHORT_S:
        return True
    *_, before, last = (count / (seconds + overhead_s) for count, seconds in timings)
    # the fixed time per image is halved with each size: the next size gains half as much as this one did
    return last > (1 + 2 * (1 / _CLOSE_TO_BEST - 1)) * before


def _sizes(max_images: int) -> list[int]:
    if not max_images:
        return list(_SIZES)
    return [*(count for count in _SIZES if count < max_images), max_images]
