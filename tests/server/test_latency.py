import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.latency import LatencyModel


def test_knows_nothing_at_first() -> None:
    model = LatencyModel()
    assert not model.known
    assert model.seconds(100) == 0
    assert model.backlog_seconds(100, 10) == 0


def test_finds_the_line_through_its_observations() -> None:
    model = LatencyModel()
    for cost in (1, 2, 4, 8):
        model.observe(cost, 0.02 + 0.01 * cost)
    slope, fixed = model.line()
    assert slope == pytest.approx(0.01)
    assert fixed == pytest.approx(0.02)
    assert model.seconds(6) == pytest.approx(0.08)


def test_one_size_of_batch_gives_a_rate() -> None:
    model = LatencyModel()
    for _ in range(5):
        model.observe(4, 0.2)
    slope, fixed = model.line()
    assert slope == pytest.approx(0.05)
    assert fixed == 0


def test_follows_a_device_that_becomes_slower() -> None:
    model = LatencyModel()
    for _ in range(100):
        model.observe(4, 0.1)
    for _ in range(60):
        model.observe(4, 0.2)
    assert model.seconds(4) == pytest.approx(0.2, rel=0.1)


def test_a_backlog_pays_the_fixed_cost_once_a_batch() -> None:
    model = LatencyModel()
    for cost in (1, 2, 4):
        model.observe(cost, 1.0 + cost)
    assert model.backlog_seconds(8, batch_cost=4) == pytest.approx(8 + 2)
    assert model.backlog_seconds(2, batch_cost=4) == pytest.approx(2 + 1)
    assert model.backlog_seconds(0, batch_cost=4) == 0


@given(st.lists(st.tuples(st.floats(1, 1e7), st.floats(1e-6, 100)), min_size=1, max_size=60))
def test_predictions_are_never_negative_and_grow_with_cost(observations: list[tuple[float, float]]) -> None:
    model = LatencyModel()
    for cost, seconds in observations:
        model.observe(cost, seconds)
    predictions = [model.seconds(cost) for cost in (0.0, 1.0, 1e3, 1e7)]
    assert predictions == sorted(predictions)
    assert predictions[0] >= 0


def test_it_follows_a_change_of_pace_within_a_few_batches_in_both_directions() -> None:
    model = LatencyModel()
    for cost in (1, 2, 4, 8):
        model.observe(cost, 0.02 + 0.01 * cost)
    now = 0.0
    for pace in (10.0, 1.0, 5.0, 1.0):
        end = now + 5.0
        while now < end:
            seconds = pace * (0.02 + 0.01 * 4)
            now += seconds
            model.observe(4, seconds, now)
        assert model.seconds(8) == pytest.approx(pace * 0.1, rel=0.25), "for other sizes too"


def test_one_batch_after_a_pause_is_enough() -> None:
    model = LatencyModel()
    for number in range(50):
        model.observe(4, 1.0, float(number))
    model.observe(4, 0.1, 100.0)
    assert model.seconds(4) == pytest.approx(0.1, rel=0.05)
