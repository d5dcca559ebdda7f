"""LatencyModel: learns the time of a batch while serving: seconds = per_cost * cost + fixed."""

import math

_FORGET = 0.95  # the weight of an observation falls to a third after some 20 newer ones
_FORGET_PACE = 0.9  # and for the pace after some 10 newer ones,
_PACE_S = 2.0  # or after so many seconds


class LatencyModel:
    """A line through recent (cost, seconds) pairs, by least squares with exponential forgetting.

    Both coefficients stay non-negative. Until two different costs are observed, the line goes through the origin. The
    line is multiplied by the pace: how much longer the batches of the last seconds took than it says. So it follows a
    machine that becomes slower or faster at the first batches, and keeps its form.
    """

    def __init__(self) -> None:
        self._weight = self._cost = self._seconds = self._cost_squared = self._product = 0.0
        self._recent_weight = self._recent_cost = self._recent_seconds = 0.0
        self.observed_at = -math.inf

    def observe(self, cost: float, seconds: float, now: float | None = None) -> None:
        """Learn that a batch of `cost` took `seconds`, and `now`, in monotonic seconds, has ended.

        Without a time, as for one that was measured earlier, it says nothing about the pace.
        """
        if now is not None:
            keep = _FORGET_PACE * math.exp(min(0.0, self.observed_at - now) / _PACE_S)
            self._recent_weight = self._recent_weight * keep + 1
            self._recent_cost = self._recent_cost * keep + cost
            self._recent_seconds = self._recent_seconds * keep + seconds
            self.observed_at = now
            seconds /= self._pace()  # the line keeps to the usual pace
        self._weight = self._weight * _FORGET + 1
        self._cost = self._cost * _FORGET + cost
        self._seconds = self._seconds * _FORGET + seconds
        self._cost_squared = self._cost_squared * _FORGET + cost * cost
        self._product = self._product * _FORGET + cost * seconds

    @property
    def known(self) -> bool:
        """Whether anything has been observed."""
        return self._weight > 0

    def line(self) -> tuple[float, float]:
        """Return (seconds per cost, fixed seconds) at the present pace; zeros before the first observation."""
        (slope, fixed), pace = self._line(), self._pace()
        return slope * pace, fixed * pace

    def _pace(self) -> float:
        slope, fixed = self._line()
        usual = slope * self._recent_cost + fixed * self._recent_weight
        return self._recent_seconds / usual if usual > 0 and self._recent_seconds > 0 else 1.0

    def _line(self) -> tuple[float, float]:
        if not self.known or self._cost_squared == 0:
            return 0.0, 0.0
        through_origin = self._product / self._cost_squared
        spread = self._weight * self._cost_squared - self._cost**2
        if spread <= 1e-9 * self._weight * self._cost_squared:
            return through_origin, 0.0
        slope = (self._weight * self._product - self._cost * self._seconds) / spread
        fixed = (self._seconds - slope * self._cost) / self._weight
        if slope < 0:
            return 0.0, self._seconds / self._weight
        return (slope, fixed) if fixed >= 0 else (through_origin, 0.0)

    def seconds(self, cost: float) -> float:
        """Predict the seconds of one batch of `cost`."""
        slope, fixed = self.line()
        return slope * cost + fixed

    def backlog_seconds(self, cost: float, batch_cost: float) -> float:
        """Predict the seconds of work of `cost` in batches of up to `batch_cost`."""
        if cost <= 0:
            return 0.0
        slope, fixed = self.line()
        return slope * cost + fixed * max(1.0, cost / batch_cost)
