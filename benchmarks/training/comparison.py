"""TrainingComparison: what all contestants showed, round by round, and what is wanted of ours."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.serving import spread
from benchmarks.training.contestant import OURS, TrainedOnce

_TARGET = 0.95  # of the quality
_SAME = 0.01


@dataclass(frozen=True, slots=True)
class TrainingComparison:
    """`taken`: what each contestant showed, by its name, once a round. `metric`: what its quality is."""

    taken: Mapping[str, list[TrainedOnce]]
    metric: str

    def rows(self) -> list[str]:
        """Return a line for each contestant."""
        return [self._row(name) for name in self.taken]

    def verdict(self, peer: str, wanted: float, *, same_quality: bool) -> str:
        """Return a line on ours beside a peer with its better number of workers: how many times as fast it is.

        With `same_quality`, ours may not be worse by more than a point either.
        """
        best = max(
            (name for name in self.taken if name.partition(" ")[0] == peer),
            key=lambda name: statistics.median(one.rate for one in self.taken[name]),
        )
        ratio, better = statistics.median(self._ratios(best)), self._quality(OURS) - self._quality(best)
        met = ratio >= wanted and (better >= -_SAME or not same_quality)
        return (
            f"  {ratio:.2f} times as fast as {best}, wanted {wanted}; {self.metric} {100 * better:+.1f} points"
            f"{f', wanted at least {-100 * _SAME:.0f}' if same_quality else ''}: {'met' if met else 'MISSED'}"
        )

    def _row(self, name: str) -> str:
        taken = self.taken[name]
        reached = [one.seconds_to(_TARGET) for one in taken]
        return (
            f"  {name:<14} {spread([one.rate for one in taken])} images/s, ours {spread(self._ratios(name), 2)}x, "
            f"{self.metric} {self._quality(name):.3f} ({spread([one.qualities[-1] for one in taken], 3)}), "
            f"{_TARGET:.2f} after {', '.join('never' if each is None else f'{each:.0f} s' for each in reached)}, "
            f"{max(one.peak_mib for one in taken):.0f} MiB, {'/'.join(sorted({one.precision for one in taken}))}"
        )

    def _ratios(self, name: str) -> list[float]:
        return [ours.rate / other.rate for ours, other in zip(self.taken[OURS], self.taken[name], strict=True)]

    def _quality(self, name: str) -> float:
        return statistics.mean(one.qualities[-1] for one in self.taken[name])
