"""SplitGraph: computes large batches with a thread for each part, and small ones in the way that is the faster now."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from models.runtime.contention import Contention
from models.runtime.runtime import Graph

_MOST_IDLE = 1 / 6  # of the threads' time, where the parts of a batch are not of one size


class SplitGraph:
    """A graph for CPUs from two: `together` shares a batch among all threads, `apart` has one thread for each part.

    Batches with at least `fewest_rows` for each of the `threads` are computed apart, unless that leaves threads idle.
    Without `contention` all others are shared. One thread at a time may call it.
    """

    def __init__(
        self, together: Graph, apart: Graph, threads: int, contention: Contention | None, *, fewest_rows: int = 1
    ) -> None:
        self._together = together
        self._apart = apart
        self._threads = threads
        self._contention = contention
        self._fewest_rows = fewest_rows

    def __call__(self, inputs: Tensor) -> Sequence[Tensor]:
        """Compute a batch."""
        if self._threads > 1 and self._keeps_all_busy(len(inputs)):
            return self._apart(inputs)
        if self._threads == 1 or self._contention is None:
            return self._together(inputs)
        return self._contention.run(inputs.numel(), partial(self._together, inputs), partial(self._apart, inputs))

    def _keeps_all_busy(self, count: int) -> bool:
        rows = -(-count // self._threads)
        return rows >= self._fewest_rows and self._threads * rows <= (1 + _MOST_IDLE) * count
