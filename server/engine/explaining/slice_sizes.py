"""SliceSizes: how many rows a slice of explanations has, found at warm-up.

Every slice is filled up to its size, since the size of a batch decides how a network rounds. An attribution map
therefore has the same bits whether its explanation ran alone or among others.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from server.engine.device import OnDevice, out_of_memory

logger = logging.getLogger(__name__)

_MAX_SLICE_S = 1.2  # for slices of more than one row: scoring has to wait for them
_WORTH_GROWING = 0.95  # seconds per row, as a share of those at half the size: above it, no larger size gains enough
_CLOSE_TO_BEST = 1.1  # seconds per row: a larger slice that is hardly faster only keeps scoring waiting
_LITTLE_MORE = 1.5  # seconds per slice: a lone explanation needs one row of it, and waits for all


@dataclass(frozen=True, slots=True)
class SliceSizes:
    """The rows of a slice. An explanation needs many rows of `gradients` and few of `others`."""

    gradients: int = 1
    others: int = 1

    @classmethod
    def best(cls, gradients: Mapping[int, float], others: Mapping[int, float]) -> "SliceSizes":
        """Choose from the seconds that slices of each size took; size 1 must be among them."""
        fastest = min(seconds / size for size, seconds in gradients.items())
        alone = others[1]
        return cls(
            gradients=min(size for size, s in gradients.items() if s / size <= _CLOSE_TO_BEST * fastest),
            others=max(size for size, seconds in others.items() if seconds <= _LITTLE_MORE * alone),
        )

    def of(self, key: tuple[object, ...]) -> int:
        """Return the size for rows of this key."""
        return self.gradients if key[0] == "gradient" else self.others

    def halved(self, key: tuple[object, ...]) -> "SliceSizes":
        """Return the sizes after rows of this key did not fit into memory."""
        half = max(1, self.of(key) // 2)
        return SliceSizes(half, self.others) if key[0] == "gradient" else SliceSizes(self.gradients, half)


def timings(run: Callable[[int], object], max_rows: int, on_device: OnDevice[float]) -> dict[int, float]:
    """Run slices of 1, 2, 4 rows and so on, up to `max_rows` or until one takes too long; returns the best seconds.

    `on_device` runs a slice on the thread that computes, and waits for it.
    """
    seconds: dict[int, float] = {}
    size = 1
    while size <= max_rows and _may_grow(seconds):
        try:
            seconds[size] = min(on_device(partial(_seconds, run, size)) for _ in range(3 if size == 1 else 2))
        except Exception as error:
            if not seconds or not out_of_memory(error):
                raise
            logger.warning("out of memory at warm-up of explanations rows=%d", size)
            break
        size *= 2
    return seconds


def _may_grow(seconds: Mapping[int, float]) -> bool:
    per_row = [value / size for size, value in seconds.items()]
    gained = len(per_row) < 2 or per_row[-1] < _WORTH_GROWING * per_row[-2]
    return gained and 2 * max(seconds.values(), default=0.0) <= _MAX_SLICE_S


def _seconds(run: Callable[[int], object], size: int) -> float:
    started = time.monotonic()
    run(size)
    return time.monotonic() - started
