"""Tracker: shows the numbers of a run somewhere else; TrackerGroup: several, none of which can stop the training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from data.progress import ProgressReport

RunStatus = Literal["finished", "stopped", "failed"]
"""How a run ended; one that was stopped may go on later."""


class TrackerError(Exception):
    """A tracker cannot be used. The text is whole sentences that say what to do."""


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """The run whose numbers are tracked.

    `parameters` are its settings, by name. `first_epoch` is the first that will be logged, above 0 where the run goes
    on. `folder` is its own folder, where a tracker may keep what it needs to go on as well.
    """

    name: str
    folder: Path
    parameters: Mapping[str, Any]
    first_epoch: int = 0


class Tracker(Protocol):
    """Somewhere to show the numbers of a run. `name` is what people call it. Its methods may raise whatever they want.

    After a call that failed, the next ones are made all the same.
    """

    name: str

    def start(self, run: TrackedRun) -> None:
        """Begin, or go on with, a run."""

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Show the numbers of an epoch, counted from 0."""

    def end(self, status: RunStatus) -> None:
        """Show how the run ended."""


class TrackerGroup:
    """Any number of trackers. The first failure of each is reported as a line, and nothing is ever raised."""

    def __init__(self, trackers: Sequence[Tracker], report: ProgressReport) -> None:
        self._trackers, self._report = trackers, report
        self._failed: set[str] = set()

    def start(self, run: TrackedRun) -> None:
        """Begin, or go on with, a run."""
        self._each(lambda tracker: tracker.start(run))

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Show the numbers of an epoch, counted from 0."""
        self._each(lambda tracker: tracker.log(epoch, metrics))

    def end(self, status: RunStatus) -> None:
        """Show how the run ended."""
        self._each(lambda tracker: tracker.end(status))

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for tracker in self._trackers:
            try:
                call(tracker)
            except Exception as error:
                if tracker.name not in self._failed:
                    self._failed.add(tracker.name)
                    self._report.line(
                        f"warning: {tracker.name} misses numbers of this run: {str(error) or type(error).__name__} The "
                        "training goes on, and metrics.jsonl has them all. This is said once."
                    )
