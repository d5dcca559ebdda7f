import pytest

from server.engine.scheduling.wait_correction import WaitCorrection
from tests.support.engines.scheduler_harness import IMAGE, decode_all, make_jobs, make_scheduler


def test_predictions_that_hold_are_left_alone() -> None:
    correction = WaitCorrection()
    assert correction.factor == 1
    for _ in range(20):
        correction.observe(0.5, 0.5, 0.0)
    assert correction.factor == pytest.approx(1)
    correction.observe(0.5, 0.1, 0.0)
    assert correction.factor == 1, "better early than too late: no prediction is made shorter"


def test_the_ratio_is_learned_and_forgotten() -> None:
    correction = WaitCorrection()
    for _ in range(5):
        correction.observe(0.5, 1.5, 0.0)
    assert correction.factor == pytest.approx(3)
    for _ in range(60):
        correction.observe(0.5, 0.5, 0.0)
    assert correction.factor == pytest.approx(1, abs=0.01)


def test_short_waits_say_nothing_and_nothing_is_multiplied_for_ever() -> None:
    correction = WaitCorrection()
    correction.observe(0.001, 0.5, 0.0)
    assert correction.factor == 1
    correction.observe(0.1, 1000, 0.0)
    assert correction.factor == pytest.approx(3)
    correction.observe(0.1, 0.1, 0.0)
    assert correction.factor == pytest.approx((0.9 * 3 + 1) / 1.9), "one that was held up is one among others"


def test_a_scheduler_whose_jobs_come_late_refuses_earlier() -> None:
    scheduler = make_scheduler(queue_limit_s=1.0, max_images=1)
    scheduler.learn("score", IMAGE, 0.1)
    for request in range(5):
        assert scheduler.admit(make_jobs(request), 0.0) is None
    decode_all(scheduler)
    assert scheduler.wait_s("score") == pytest.approx(0.5)
    for number in range(5):
        batch = scheduler.next_batch(0.3 * number)  # three times as long as it was to take
        assert batch is not None
        scheduler.finished(batch, 0.1)
        decode_all(scheduler)
    for request in range(5, 9):
        assert scheduler.admit(make_jobs(request, now=2.0), 2.0) is None
    assert scheduler.wait_s("score") == pytest.approx(3 * 0.4)
    assert scheduler.admit(make_jobs(9, now=2.0), 2.0) == pytest.approx(0.2)


def test_a_wait_of_some_seconds_ago_counts_little() -> None:
    correction = WaitCorrection()
    for number in range(10):
        correction.observe(0.5, 1.5, 0.5 * number)
    assert correction.factor == pytest.approx(3)
    correction.observe(0.5, 0.5, 25.0)
    assert correction.factor < 1.2
