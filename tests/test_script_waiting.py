"""The queue before a script: who is next, and how long one that arrives now would wait."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ipc.frame import Frame, FrameKind
from server.scripts.request_queue import QueuedRequest, RequestQueue, left_s


def job(arrived: float = 0.0, deadline: float = 100.0) -> QueuedRequest:
    return QueuedRequest(Frame(FrameKind.RUN), arrived, deadline, lambda frame: None)


def busy(waiting: RequestQueue, *started: float) -> None:
    for at in started:
        one = job()
        one.started = at
        waiting.running.add(one)


def test_the_first_to_come_is_the_first_to_go() -> None:
    waiting = RequestQueue(1)
    first, second = job(), job()
    waiting.push(first)
    waiting.push(second)
    assert len(waiting) == 2
    assert [waiting.pop(0), waiting.pop(0), waiting.pop(0)] == [first, second, None]


def test_what_is_too_late_or_left_is_passed_over() -> None:
    waiting = RequestQueue(1)
    late, left, fine = job(deadline=5), job(), job()
    for each in (late, left, fine):
        waiting.push(each)
    for _ in range(2):
        waiting.remove(left)
    assert waiting.pop(5) is fine
    assert len(waiting) == 0


def test_all_may_be_sent_away() -> None:
    waiting = RequestQueue(1)
    jobs = [job(), job()]
    for each in jobs:
        waiting.push(each)
    assert (waiting.clear(), len(waiting), waiting.pop(0.0)) == (jobs, 0, None)


def test_the_wait_is_what_runs_and_what_stands_before() -> None:
    waiting = RequestQueue(2)
    waiting.learn(4.0)
    busy(waiting, 9.0, 10.0)
    assert waiting.wait_s(11.0) == pytest.approx(2.0), "the elder of the two has two more seconds to go"
    waiting.push(job())
    assert waiting.wait_s(11.0) == pytest.approx(4.0), "two processes share what waits"


def test_a_run_that_is_late_is_predicted_to_take_as_long_again() -> None:
    waiting = RequestQueue(1)
    busy(waiting, 0.0)
    assert waiting.wait_s(7.0) == 7.0
    waiting.learn(1.0)
    assert waiting.wait_s(7.0) == 7.0


def test_where_nothing_runs_a_process_is_being_started() -> None:
    assert RequestQueue(1).wait_s(3.0, restart_s=2.5) == 2.5
    assert (left_s(4.0, 1.0), left_s(4.0, 9.0)) == (3.0, 9.0)


@given(st.lists(st.floats(0.001, 100), min_size=1))
def test_the_pace_stays_among_what_was_seen(seen: Sequence[float]) -> None:
    waiting = RequestQueue(1)
    for seconds in seen:
        waiting.learn(seconds)
    busy(waiting, 0.0)
    assert min(seen) * 0.999 <= waiting.wait_s(0.0) <= max(seen) * 1.001
