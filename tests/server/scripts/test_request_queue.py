"""The queue before a script: who is next, and how long one that arrives now would wait."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ipc.frame import Frame, FrameKind
from server.scripts.request_queue import QueuedRequest, RequestQueue, left_s


def job(arrived: float = 0.0, deadline: float = 100.0) -> QueuedRequest:
    return QueuedRequest(Frame(FrameKind.RUN), arrived, deadline, lambda frame: None)


def busy(queue: RequestQueue, *started: float) -> None:
    for at in started:
        one = job()
        one.started = at
        queue.running.add(one)


def test_the_first_to_come_is_the_first_to_go() -> None:
    queue = RequestQueue(1)
    first, second = job(), job()
    queue.push(first)
    queue.push(second)
    assert len(queue) == 2
    assert [queue.pop(0), queue.pop(0), queue.pop(0)] == [first, second, None]


def test_what_is_too_late_or_left_is_passed_over() -> None:
    queue = RequestQueue(1)
    late, left, fine = job(deadline=5), job(), job()
    for each in (late, left, fine):
        queue.push(each)
    for _ in range(2):
        queue.remove(left)
    assert queue.pop(5) is fine
    assert len(queue) == 0


def test_all_may_be_sent_away() -> None:
    queue = RequestQueue(1)
    jobs = [job(), job()]
    for each in jobs:
        queue.push(each)
    assert (queue.clear(), len(queue), queue.pop(0.0)) == (jobs, 0, None)


def test_the_wait_is_what_runs_and_what_stands_before() -> None:
    queue = RequestQueue(2)
    queue.learn(4.0)
    busy(queue, 9.0, 10.0)
    assert queue.wait_s(11.0) == pytest.approx(2.0), "the elder of the two has two more seconds to go"
    queue.push(job())
    assert queue.wait_s(11.0) == pytest.approx(4.0), "two processes share what waits"


def test_a_run_that_is_late_is_predicted_to_take_as_long_again() -> None:
    queue = RequestQueue(1)
    busy(queue, 0.0)
    assert queue.wait_s(7.0) == 7.0
    queue.learn(1.0)
    assert queue.wait_s(7.0) == 7.0


def test_where_nothing_runs_a_process_is_being_started() -> None:
    assert RequestQueue(1).wait_s(3.0, restart_s=2.5) == 2.5
    assert (left_s(4.0, 1.0), left_s(4.0, 9.0)) == (3.0, 9.0)


@given(st.lists(st.floats(0.001, 100), min_size=1))
def test_the_pace_stays_among_what_was_seen(seen: Sequence[float]) -> None:
    queue = RequestQueue(1)
    for seconds in seen:
        queue.learn(seconds)
    busy(queue, 0.0)
    assert min(seen) * 0.999 <= queue.wait_s(0.0) <= max(seen) * 1.001
