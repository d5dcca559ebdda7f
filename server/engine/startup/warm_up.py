"""Warm-up: runs batches of an example until memory and kernels have settled, and finds the size that serves best."""

import logging
from collections.abc import Sequence

import torch

from models.classifier import HALFWAY_FROM
from server.engine.device import Device, out_of_memory

logger = logging.getLogger(__name__)

Timings = Sequence[tuple[int, float]]  # images in a batch, its seconds

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_BUDGET_S = 2.0
_LONG_S = 0.2
_BRIEF_S = 0.03  # where others use the device too, a shorter batch says little about larger ones
_CLOSE_TO_BEST = 0.97
# of each batch on the cores of decoders and HTTP processes, which come and go between two batches (decision 13)
_OVERHEAD_S = 0.008


def warm_up(device: Device, max_images: int, overhead_s: float = 0.0) -> list[tuple[int, float]]:
    """Run batches of an example, of up to `max_images` (0: while larger ones help), for about two seconds.

    Returns (images, best seconds) for each size, growing. `overhead_s` is as in `best_batch`.
    """
    timings: list[tuple[int, float]] = []
    for count in _sizes(max_images):
        if timings and 2 * count * timings[0][1] > _BUDGET_S:
            break
        if timings and not max_images and not _still_helps(timings, overhead_s):
            break
        try:
            timings.append((count, _settled_s(device, count)))
        except Exception as error:
            if not timings or not out_of_memory(error):
                raise
            logger.warning("out of memory at warm-up images=%d", count)
            break
    largest = best_batch(timings, overhead_s)
    # a GPU gets batches between two of these sizes as the larger one, or as one halfway
    halfway = [3 * count // 4 for count, _ in timings if count <= largest and 3 * count // 4 >= HALFWAY_FROM]
    return sorted(timings + [(count, _settled_s(device, count)) for count in halfway])


def best_batch(timings: Timings, overhead_s: float = 0.0) -> int:
    """Choose the smallest batch whose images per second come close to the best: more would only add latency.

    `overhead_s` is what each batch takes beside its forward pass.
    """
    rates = {count: count / (seconds + overhead_s) for count, seconds in timings}
    enough = _CLOSE_TO_BEST * max(rates.values())
    return min(count for count, rate in rates.items() if rate >= enough)


def sizes_to_try(timings: Timings, overhead_s: float) -> list[int]:
    """Return the sizes of batches that matter to a runtime: up to twice the best."""
    most = 2 * best_batch(timings, overhead_s)
    return [count for count, _ in timings if count <= most]


def batch_overhead_s(device: torch.device) -> float:
    """Return the seconds beside the forward pass in which a batch keeps the device from computing."""
    return _OVERHEAD_S if device.type == "cpu" else 0.0


def _settled_s(device: Device, count: int) -> float:
    # a size is slow until memory has grown to it, which takes a pass or two
    first = device.time_example(count)
    return min(first, *(device.time_example(count) for _ in range(1 if first > _LONG_S else 2)))


def _still_helps(timings: Timings, overhead_s: float) -> bool:
    if len(timings) == 1 or timings[-1][1] < _BRIEF_S:
        return True
    *_, before, last = (count / (seconds + overhead_s) for count, seconds in timings)
    # what each batch takes beside its images is halved once more: the next size gains half as much as this one did
    return last > (1 + 2 * (1 / _CLOSE_TO_BEST - 1)) * before


def _sizes(max_images: int) -> list[int]:
    if not max_images:
        return list(_SIZES)
    return [*(count for count in _SIZES if count < max_images), max_images]
