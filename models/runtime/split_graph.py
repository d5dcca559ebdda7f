"""SplitGraph: computes large batches in parts of their own, and small ones in the way that is the faster now."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from models.runtime.contention import Contention
from models.runtime.runtime import Graph
from models.runtime.side_by_side import SideBySide


class SplitGraph:
    """A graph for CPUs from one whose outputs have a row for each row of its input, in the same order.

    One thread at a time may call it, and `graph` is called by several threads, each of which computes alone. Without
    `contention` small batches are always shared by all threads.
    """

    def __init__(self, graph: Graph, threads: SideBySide, contention: Contention | None) -> None:
        self._graph = graph
        self._threads = threads
        self._contention = contention

    def __call__(self, inputs: Tensor) -> Sequence[Tensor]:
        """Compute a batch."""
        if self._threads.threads == 1:
            return self._graph(inputs)
        apart: Callable[[], Sequence[Tensor]] = partial(self._apart, inputs)
        if self._threads.keeps_all_busy(len(inputs)):
            return apart()
        if self._contention is None:
            return self._graph(inputs)
        return self._contention.run(inputs.numel(), partial(self._graph, inputs), apart)

    def _apart(self, inputs: Tensor) -> Sequence[Tensor]:
        parts = [inputs[part] for part in self._threads.parts(len(inputs))]
        outputs = self._threads.run([partial(self._graph, part) for part in parts])
        return [torch.cat(rows) for rows in zip(*outputs, strict=True)]
