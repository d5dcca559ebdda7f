"""The choice between sharing a batch and computing apart, on a machine whose speed the test decides."""

import pytest

from models.runtime.contention import Contention

THREADS = 4


class Machine:
    """Computes with THREADS threads of which others take a `taken` share; counts the seconds of both clocks."""

    def __init__(self) -> None:
        self.now = self.used = self.taken = 0.0
        self.ways: list[str] = []
        self.contention = Contention(THREADS, lambda: self.now, lambda: self.used)

    def compute(self, batches: int) -> list[str]:
        """Compute batches of one unit; return the ways in which they were computed."""
        self.ways = []
        for _ in range(batches):
            self.contention.run(1.0, self._together, self._apart)
        return self.ways

    def _together(self) -> None:
        # quick alone; where others take cores, all threads wait for the one that has none
        seconds = 0.05 if not self.taken else 0.5
        self._spend("together", seconds, seconds * THREADS * (1 - self.taken))

    def _apart(self) -> None:
        seconds = 0.12 / (1 - self.taken / 2)
        self._spend("apart", seconds, seconds * (1 - self.taken / 2))

    def _spend(self, way: str, seconds: float, used: float) -> None:
        self.ways.append(way)
        self.now += seconds
        self.used += used


def test_on_cores_of_their_own_threads_share_every_batch() -> None:
    machine = Machine()
    assert set(machine.compute(1000)) == {"together"}
    assert not machine.contention.noticed


def test_beside_others_each_image_has_a_thread_within_seconds() -> None:
    machine = Machine()
    machine.compute(100)
    machine.taken, arrived = 0.5, machine.now
    machine.compute(10)
    assert machine.contention.noticed
    assert machine.now - arrived < 5
    ways = machine.compute(100)
    assert ways.count("apart") > 85, "the slower way is only tried now and then"


def test_soon_after_the_others_have_left_all_is_as_before() -> None:
    machine = Machine()
    machine.taken = 0.5
    machine.compute(50)
    machine.taken, left = 0.0, machine.now
    while machine.contention.noticed:
        machine.compute(1)
        assert machine.now - left < 10
    assert set(machine.compute(100)) == {"together"}


def test_the_way_is_measured_not_assumed() -> None:
    """A quota of three of four cores takes processor time too, but sharing a batch stays the faster."""
    machine = Machine()
    machine._together = lambda: machine._spend("together", 0.07, 0.07 * THREADS * 0.6)  # type: ignore[method-assign]
    ways = machine.compute(300)
    assert machine.contention.noticed
    assert ways.count("together") > 0.9 * len(ways)


def test_a_short_disturbance_changes_nothing() -> None:
    machine = Machine()
    machine.compute(100)
    machine._spend("", 0, 0)
    machine.contention.run(1.0, lambda: machine._spend("together", 0.06, 0.06 * THREADS * 0.3), machine._apart)
    assert not machine.contention.noticed


def test_what_fails_fails_for_the_caller_alone() -> None:
    machine = Machine()
    with pytest.raises(ZeroDivisionError):
        machine.contention.run(1.0, lambda: 1 / 0, lambda: 1 / 0)
    assert machine.compute(1) == ["together"]
