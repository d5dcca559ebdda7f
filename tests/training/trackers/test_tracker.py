"""Trackers that fail stop nothing."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from data.progress import ProgressReport
from training.errors import TrainingError
from training.trackers.selection import select_trackers
from training.trackers.tracker import RunStatus, TrackedRun, TrackerGroup


class Recorded:
    """Keeps its calls, and fails at all of them if told to."""

    def __init__(self, name: str, failing: bool = False) -> None:
        self.name, self.failing = name, failing
        self.calls: list[object] = []

    def start(self, run: TrackedRun) -> None:
        self._note(run.name)

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._note((epoch, dict(metrics)))

    def end(self, status: RunStatus) -> None:
        self._note(status)

    def _note(self, call: object) -> None:
        self.calls.append(call)
        if self.failing:
            raise OSError("The disk is full.")


def test_a_failure_is_said_once_and_stops_nothing(tmp_path: Path) -> None:
    stream = io.StringIO()
    trackers = [Recorded("Broken", failing=True), Recorded("Sound"), Recorded("Worn", failing=True)]
    group = TrackerGroup(trackers, ProgressReport(stream=stream))
    group.start(TrackedRun("fridge", tmp_path, {}))
    group.log(0, {"accuracy": 0.5})
    group.log(1, {"accuracy": 0.75})
    group.end("finished")
    expected = ["fridge", (0, {"accuracy": 0.5}), (1, {"accuracy": 0.75}), "finished"]
    assert [each.calls for each in trackers] == [expected] * 3
    lines = stream.getvalue().splitlines()
    assert [line.split(" misses ")[0] for line in lines] == ["warning: Broken", "warning: Worn"]
    assert all("The disk is full. The training goes on" in line for line in lines)


def test_nothing_is_tracked_unless_asked_for(tmp_path: Path) -> None:
    group = select_trackers(ProgressReport())
    group.start(TrackedRun("fridge", tmp_path, {}))
    group.end("finished")
    assert not list(tmp_path.iterdir())


def test_a_tracker_that_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(TrainingError, match=r"'fridge\.db' is no tracking server of MLflow; expected http://"):
        select_trackers(ProgressReport(), tracking="fridge.db")
