"""SideBySide: threads that each compute a part of a batch on their own.

Threads that share a batch wait for each other after every layer. Where other programs use the cores too, all of them
wait for the one that has lost its core. Threads with a part of their own wait only at the end of the batch.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, partial
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor

from models.runtime.runtime import Graph

T = TypeVar("T")

_ROWS_FOR_TWO = 4  # a thread computes two rows at a time in less time than one after the other


class SideBySide:
    """`threads` threads, in each of which PyTorch computes with one thread. Several threads may use it at a time."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="part")
        started, before = threading.Barrier(threads), torch.get_num_threads()
        for thread in [self._pool.submit(_with_one_thread, started) for _ in range(threads)]:
            thread.result()
        torch.set_num_threads(before)  # the number is that of this thread and of those that will start

    def parts(self, count: int) -> list[slice]:
        """Split `count` rows evenly, into a part for each thread or, where each still has several rows, two.

        The second part goes to the thread that is ready first, as others may have taken its core less often.
        """
        parts = 2 * self.threads if count >= _ROWS_FOR_TWO * self.threads else min(count, self.threads)
        return [slice(start, stop) for start, stop in pairwise(count * number // parts for number in range(parts + 1))]

    def compute(self, graph: Graph, inputs: Tensor) -> list[Tensor]:
        """Compute a batch in parts. The outputs of `graph` have a row for each row of its input, in the same order."""
        parts = [partial(graph, inputs[part]) for part in self.parts(len(inputs))]
        return [torch.cat(rows) for rows in zip(*self.run(parts), strict=True)]

    def run(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """Run tasks, with the caller's inference and gradient modes, and return their results in order.

        Raises what one of them raises once all have ended.
        """
        inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

        def run(task: Callable[[], T]) -> T:
            with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
                return task()

        running = [self._pool.submit(run, task) for task in tasks]
        wait(running)
        return [each.result() for each in running]


@cache
def side_by_side(threads: int) -> SideBySide:
    """Return the threads of this process: its networks take turns, and explanations compute between scores."""
    return SideBySide(threads)


def _with_one_thread(started: threading.Barrier) -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # from here on this thread keeps its number, whatever the others set
    started.wait()
