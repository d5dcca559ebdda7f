"""WaitCorrection: learns how much longer jobs wait than was predicted.

Predictions account for the jobs in the engine and the time of each. They do not account for other work on the same
cores: above all that of the HTTP processes when they refuse many requests.
"""

import math

_FORGET = 0.9  # the weight of an observation falls to a third after some ten newer ones
_FORGET_S = 5.0  # and within as many seconds
_MIN_PREDICTED_S = 0.05  # shorter predicted waits are too inexact
_MAX_FACTOR = 3.0


class WaitCorrection:
    """The ratio of real to predicted waits, with exponential forgetting, from 1 to 3."""

    def __init__(self) -> None:
        self._real = self._predicted = 0.0
        self._observed_at = -math.inf

    def observe(self, predicted_s: float, real_s: float, now: float) -> None:
        """Learn that a job waited `real_s` until `now`, in monotonic seconds, where `predicted_s` was predicted."""
        if predicted_s >= _MIN_PREDICTED_S:
            keep = _FORGET * math.exp(min(0.0, self._observed_at - now) / _FORGET_S)
            self._real = self._real * keep + min(real_s, _MAX_FACTOR * predicted_s)
            self._predicted = self._predicted * keep + predicted_s
            self._observed_at = now

    @property
    def factor(self) -> float:
        """The number to multiply predictions by."""
        return max(1.0, self._real / self._predicted) if self._predicted else 1.0
