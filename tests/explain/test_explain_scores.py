import numpy as np
import pytest

from benchmarks.quality.scores import contrast, energy, interval, likeness, order, pointing, precision

MASK = np.zeros((6, 8), bool)
MASK[1:4, 1:4] = True
ELSEWHERE = np.zeros_like(MASK)
ELSEWHERE[1:4, 5:8] = True
RIGHT = MASK.astype(np.float32)
WRONG = ELSEWHERE.astype(np.float32)
EVEN = np.ones_like(RIGHT)


def test_a_right_map_scores_one_a_wrong_one_zero_and_an_even_one_what_chance_does() -> None:
    share = MASK.mean()
    for score in (pointing, energy, precision):
        assert [score(one, MASK) for one in (RIGHT, WRONG, EVEN)] == pytest.approx([1, 0, share])
    assert [contrast(one, MASK, ELSEWHERE) for one in (RIGHT, WRONG, EVEN)] == pytest.approx([1, 0, 0.5])


def test_ties_at_the_border_count_by_their_share() -> None:
    weight = RIGHT.copy()
    weight[1, 1:4] = 0  # six pixels stand out; the other three are chosen from the rest, where three of 42 are right
    assert precision(weight, MASK) == pytest.approx((6 + 3 * 3 / 42) / 9)


def test_an_empty_map_is_no_error() -> None:
    nothing = np.zeros_like(RIGHT)
    assert energy(nothing, MASK) == 0
    assert contrast(nothing, MASK, ELSEWHERE) == 0.5
    assert likeness(nothing, RIGHT) == 0


def test_the_order_is_by_weight_and_by_chance_among_equals() -> None:
    first = order(RIGHT, 0)
    assert set(first[:9]) == set(np.flatnonzero(MASK))
    assert sorted(first) == list(range(MASK.size))
    assert list(first) != list(order(RIGHT, 1))


def test_questions_of_one_scene_count_as_one() -> None:
    values = [0.0, 1.0] * 20
    apart = interval(values, range(40))
    alike = interval([0.0] * 20 + [1.0] * 20, [*range(20), *range(20)])
    assert apart[0] == alike[0] == 0.5
    assert apart[1] < 0.4
    assert apart[2] > 0.6
    assert alike == (0.5, 0.5, 0.5)
