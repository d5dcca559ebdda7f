"""SliceSizes: the number of rows in a slice of explanations, measured at warm-up.

Every slice is padded to its size, since a network rounds differently in batches of different sizes. So attributions
have the same bits whether an explanation ran alone or beside others.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from server.engine.device import OnDevice, out_of_memory

logger = logging.getLogger(__name__)

_MAX_SLICE_S = 1.2  # for slices of more than one row: scoring has to wait for them
_MAX_ROW_RATIO = 0.95  # seconds per row over those at half the size: above it, larger slices gain too little
_CLOSE_TO_BEST = 1.1  # seconds per row over the fewest: a larger slice that is hardly faster makes scoring wait longer
_MAX_SLICE_RATIO = 1.5  # seconds per slice over those of one row: a lone explanation uses one row and waits for all


@dataclass(frozen=True, slots=True)
class SliceSizes:
    """Rows in a slice. An explanation needs many `gradients` (PathGradients) or `scored` rows, and few `others`."""

    gradients: int = 1
    others: int = 1
    scored: int = 1

    @classmethod
    def best(
        cls, gradients: Mapping[int, float], others: Mapping[int, float], scored: Mapping[int, float]
    ) -> "SliceSizes":
        """Choose from measured seconds by size. `others` must hold size 1."""
        alone = others[1]
        return cls(
            gradients=_smallest_of_the_fastest(gradients),
            others=max(size for size, seconds in others.items() if seconds <= _MAX_SLICE_RATIO * alone),
            scored=_smallest_of_the_fastest(scored),
        )

    def of(self, key: tuple[object, ...]) -> int:
        """Return the size of slices whose rows have this key."""
        return int(getattr(self, self._kind(key)))

    def halved(self, key: tuple[object, ...]) -> "SliceSizes":
        """Return the sizes to use after a slice of rows with this key ran out of memory."""
        return replace(self, **{self._kind(key): max(1, self.of(key) // 2)})

    @staticmethod
    def _kind(key: tuple[object, ...]) -> str:
        return {"gradient": "gradients", "scored": "scored"}.get(str(key[0]), "others")


def timings(
    run: Callable[[int], object], max_rows: int, on_device: OnDevice[float], *, first: int = 1
) -> dict[int, float]:
    """Run slices of `first` rows, twice as many and so on, up to `max_rows` or until one takes too long.

    Returns the best seconds by size, that of `first` in any case. `run(size)` runs a slice. `on_device` runs it on the
    device's thread, and waits for it.
    """
    seconds: dict[int, float] = {}
    size = first
    while (not seconds or size <= max_rows) and _may_grow(seconds):
        try:
            seconds[size] = min(on_device(partial(_seconds, run, size)) for _ in range(2 if seconds else 3))
        except Exception as error:
            if not seconds or not out_of_memory(error):
                raise
            logger.warning("out of memory in the warm-up of explanations rows=%d", size)
            break
        size *= 2
    return seconds


def _smallest_of_the_fastest(timings: Mapping[int, float]) -> int:
    fastest = min(seconds / size for size, seconds in timings.items())
    return min(size for size, seconds in timings.items() if seconds / size <= _CLOSE_TO_BEST * fastest)


def _may_grow(seconds: Mapping[int, float]) -> bool:
    per_row = [value / size for size, value in seconds.items()]
    gained = len(per_row) < 2 or per_row[-1] < _MAX_ROW_RATIO * per_row[-2]
    return gained and 2 * max(seconds.values(), default=0.0) <= _MAX_SLICE_S


def _seconds(run: Callable[[int], object], size: int) -> float:
    started = time.monotonic()
    run(size)
    return time.monotonic() - started
