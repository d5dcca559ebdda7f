"""SliceSizes: how many rows the slices of explanations have, found at warm-up.

Every slice is filled up to its size, since the size of a batch decides how a network rounds: a map has the same bits
whether its explanation was alone or among others.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from server.engine.pipeline.device import OnDevice, out_of_memory

logger = logging.getLogger(__name__)

_SLICE_S = 1.2  # the most that a slice of more than one row may take: scoring has to wait for it
_WORTH_GROWING = 0.95  # seconds a row: if twice the size gained less, all larger ones will gain less than is worth it
_CLOSE_TO_BEST = 1.1  # seconds a row: a larger slice that is hardly faster would only keep scoring waiting
_LITTLE_MORE = 1.5  # seconds a slice: a lone explanation needs one row of it, and waits for all


@dataclass(frozen=True, slots=True)
class SliceSizes:
    """The rows of a slice: of `gradients` an explanation needs many, of `others` few."""

    gradients: int = 1
    others: int = 1

    @classmethod
    def best(cls, gradients: Mapping[int, float], others: Mapping[int, float]) -> "SliceSizes":
        """Choose from the seconds that slices of some sizes took, 1 among them."""
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
        """Return what is left after rows of this key did not fit into memory."""
        half = max(1, self.of(key) // 2)
        return SliceSizes(half, self.others) if key[0] == "gradient" else SliceSizes(self.gradients, half)


def timings(run: Callable[[int], object], most: int, on_device: OnDevice[float]) -> dict[int, float]:
    """Run slices of 1, 2, 4 rows and so on, up to `most` or what takes too long; returns the best seconds of each.

    `on_device` runs one on the thread that computes, and waits for it.
    """
    found: dict[int, float] = {}
    size = 1
    while size <= most and _may_grow(found):
        try:
            found[size] = min(on_device(partial(_seconds, run, size)) for _ in range(3 if size == 1 else 2))
        except Exception as error:
            if not found or not out_of_memory(error):
                raise
            logger.warning("out of memory at warm-up of explanations rows=%d", size)
            break
        size *= 2
    return found


def _may_grow(found: Mapping[int, float]) -> bool:
    each = [seconds / size for size, seconds in found.items()]
    gained = len(each) < 2 or each[-1] < _WORTH_GROWING * each[-2]
    return gained and 2 * max(found.values(), default=0.0) <= _SLICE_S


def _seconds(run: Callable[[int], object], size: int) -> float:
    started = time.monotonic()
    run(size)
    return time.monotonic() - started
