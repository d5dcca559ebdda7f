"""Contention: whether other programs take the cores from this one, and which way of computing is then the faster."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")

_CONTENDED_BELOW = 0.7  # of the processor time that the threads would use on cores of their own
_QUIET_ABOVE = 0.85
_REMEMBERED_S = 0.5  # of computing: older batches count little
_LATEST = 0.5  # what one batch counts where few are tried
_RETRY_S = 2.0  # the slower way is tried again so often


class Way(StrEnum):
    """How threads compute a small batch: all share it, or each image has one thread."""

    TOGETHER = "together"
    APART = "apart"


class Contention:
    """Chooses the way for each batch, and learns from what the batches take. For one thread at a time.

    On cores of their own, threads that share a batch are the faster. They use less processor time than `threads` could
    where others compute on the same cores, or where a quota of the container is used up. As long as that lasts, the
    way is the one that took less time lately; the other is tried every 2 s, which also tells when the others have gone.
    """

    def __init__(
        self,
        threads: int,
        clock: Callable[[], float] = time.perf_counter,
        processor_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._processor_clock = processor_clock
        self._used = 1.0
        self._seconds: dict[Way, float] = {}  # per unit of work; empty while the machine is quiet
        self._retry_at = 0.0

    @property
    def noticed(self) -> bool:
        """Whether others compute on the same cores."""
        return bool(self._seconds)

    def run(self, work: float, together: Callable[[], T], apart: Callable[[], T]) -> T:
        """Compute a batch of `work`, in any unit, in the way that is the faster now."""
        way = self._choose()
        started, used = self._clock(), self._processor_clock()
        result = together() if way is Way.TOGETHER else apart()
        self._learn(way, work, self._clock() - started, self._processor_clock() - used)
        return result

    def _choose(self) -> Way:
        if not self.noticed:
            return Way.TOGETHER
        if Way.APART not in self._seconds:
            return Way.APART
        faster, slower = sorted(Way, key=self._seconds.__getitem__)
        if self._clock() < self._retry_at:
            return faster
        self._retry_at = self._clock() + _RETRY_S
        return slower

    def _learn(self, way: Way, work: float, seconds: float, used: float) -> None:
        if way is Way.TOGETHER and seconds > 0:
            weight = _LATEST if self.noticed else min(1.0, seconds / _REMEMBERED_S)
            self._used += weight * (min(1.0, used / (seconds * self._threads)) - self._used)
        if not self.noticed:
            if self._used < _CONTENDED_BELOW:
                self._seconds[Way.TOGETHER] = seconds / work
            return
        if self._used > _QUIET_ABOVE:
            self._seconds.clear()
            return
        before = self._seconds.get(way, seconds / work)
        self._seconds[way] = before + _LATEST * (seconds / work - before)
