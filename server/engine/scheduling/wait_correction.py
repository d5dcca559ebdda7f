"""WaitCorrection: how much longer jobs really wait than was predicted.

Predictions know what is queued in the engine and how long each job takes alone. They do not know what else needs the
same cores: above all the HTTP processes, when they refuse many requests.
"""

_FORGET = 0.9  # the weight of an observation falls to a third after some ten newer ones
_LEAST_S = 0.05  # a shorter predicted wait says nothing
_MOST = 3.0


class WaitCorrection:
    """The ratio of real to predicted waits, with exponential forgetting, from 1 to 3."""

    def __init__(self) -> None:
        self._real = self._predicted = 0.0

    def observe(self, predicted_s: float, real_s: float) -> None:
        """Note how long a job waited whose wait was predicted."""
        if predicted_s >= _LEAST_S:
            self._real = self._real * _FORGET + min(real_s, _MOST * predicted_s)
            self._predicted = self._predicted * _FORGET + predicted_s

    @property
    def factor(self) -> float:
        """The number to multiply predictions by."""
        return max(1.0, self._real / self._predicted) if self._predicted else 1.0
