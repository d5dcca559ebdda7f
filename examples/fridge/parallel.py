"""Runs Python functions on all cores."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from examples.fridge.progress import progress_bar
from training.loop.memory import keep_freed_memory

MOST_PROCESSES = 8
_CHUNK = 16  # numbers that one process gets at a time
Result = TypeVar("Result")


def parallel_map(what: str, work: Callable[[int], Result], numbers: Sequence[int]) -> list[Result]:
    """Return `work` of each number, in their order, and show progress as `what`.

    `work` runs in other processes, so it and its results must be picklable, and a result must not depend on the
    process it comes from.
    """
    if len(numbers) <= _CHUNK:
        return [work(number) for number in numbers]
    # Forking a process in which PyTorch has started its threads can hang; a fresh one costs a third of a second.
    fresh, count = get_context("spawn"), min(_cores(), MOST_PROCESSES)
    with ProcessPoolExecutor(count, mp_context=fresh, initializer=keep_freed_memory) as pool:
        return list(progress_bar(what, pool.map(work, numbers, chunksize=_CHUNK), total=len(numbers)))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
