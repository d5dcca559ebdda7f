"""All processors at once, for what Python does one piece at a time."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from examples.fridge.allocator import keep_freed_memory
from examples.fridge.progress import Progress

MOST_PROCESSES = 8
Result = TypeVar("Result")


def spread(what: str, work: Callable[[int], Result], numbers: Sequence[int]) -> list[Result]:
    """Return `work` of each number, in their order, and show progress as `what`.

    Other processes do the work, so it and its results must be picklable; which process does which must not matter.
    """
    progress = Progress(what, len(numbers))
    results = []
    # Forking a process in which PyTorch has started its threads can hang; a fresh one costs a third of a second.
    fresh, count = get_context("spawn"), min(_processors(), MOST_PROCESSES)
    with ProcessPoolExecutor(count, mp_context=fresh, initializer=keep_freed_memory) as pool:
        for result in pool.map(work, numbers, chunksize=16):
            results.append(result)
            progress.advance(1)
    return results


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
