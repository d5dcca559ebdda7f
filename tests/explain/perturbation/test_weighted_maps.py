"""Weighted maps: the formula of RISE by hand, two halves, their agreement, and weights that tell nothing."""

import numpy as np
import pytest
from scipy import stats

from explain.perturbation.random_masks import RandomMasks
from explain.perturbation.weighted_maps import WeightedMaps

SIZE = (20, 30)
MASKS = RandomMasks(SIZE, (4, 5), seed=7)


def filled(count: int, masks: RandomMasks = MASKS, targets: int = 2) -> tuple[WeightedMaps, np.ndarray, np.ndarray]:
    """Maps of `count` masks whose weights are drawn, with those masks and weights."""
    drawn = np.stack([masks.mask(number) for number in range(count)])
    weights = np.random.default_rng(0).random((count, targets)).astype(np.float32)
    maps = WeightedMaps(targets, SIZE)
    for number in range(count):
        maps.add(number, drawn[number], weights[number])
    return maps, drawn, weights


def test_maps_are_those_of_the_paper() -> None:
    """Equation 6: the sum of score x mask, over the number of masks times their expected value."""
    maps, drawn, weights = filled(40)
    expected = np.einsum("nk,nhw->khw", weights, drawn) / (40 * 0.5)
    assert maps.maps() == pytest.approx(expected, abs=1e-5)
    assert maps.mean_weights() == pytest.approx(weights.mean(0), abs=1e-6)


def test_a_constant_score_gives_an_even_map_whatever_the_masks_show() -> None:
    masks = RandomMasks(SIZE, (4, 5), share=0.3, seed=7)
    maps = WeightedMaps(1, SIZE)
    for number in range(9):
        maps.add(number, masks.mask(number), np.array([2.5]))
    assert maps.maps() == pytest.approx(np.full((1, *SIZE), 2.5), abs=1e-5)


def test_agreement_is_the_rank_correlation_of_even_and_odd_pairs() -> None:
    maps, drawn, weights = filled(40)
    halves = []
    for half in (0, 1):
        chosen = [number for number in range(40) if number // 2 % 2 == half]
        halves.append(np.einsum("nk,nhw->khw", weights[chosen], drawn[chosen]))
    for target in (0, 1):
        expected = stats.spearmanr(halves[0][target], halves[1][target], axis=None).statistic
        assert maps.agreement(target) == pytest.approx(expected, abs=1e-3)
    region = (slice(4, 15), slice(10, 29))
    expected = stats.spearmanr(halves[0][1][region], halves[1][1][region], axis=None).statistic
    assert maps.agreement(1, region) == pytest.approx(expected, abs=1e-3)


def test_agreement_grows_with_the_masks_where_the_score_depends_on_a_place() -> None:
    maps, found = WeightedMaps(1, SIZE), []
    for number in range(400):
        mask = MASKS.mask(number)
        maps.add(number, mask, mask[5:9, 6:12].mean(keepdims=True)[0])
        if number + 1 in (16, 400):
            found.append(maps.agreement(0, (slice(0, 14), slice(0, 18))))
    assert found[0] < found[1]
    assert found[1] > 0.8
    top, left = np.unravel_index(maps.maps()[0].argmax(), SIZE)
    assert 4 <= top <= 10
    assert 5 <= left <= 13


def test_even_maps_agree_in_nothing() -> None:
    maps = WeightedMaps(1, SIZE)
    assert maps.agreement(0) == 0
    for number in range(8):
        maps.add(number, MASKS.mask(number), np.zeros(1))
    assert maps.agreement(0) == 0
    assert maps.zero_share(0) == 1
    assert not maps.maps().any()


def test_weights_that_are_nearly_zero_are_counted() -> None:
    maps = WeightedMaps(2, SIZE)
    for number, weights in enumerate([[0.0, 0.5], [1e-5, 0.5], [-0.2, 0.0], [0.2, 1.0]]):
        maps.add(number, MASKS.mask(number), np.array(weights))
    assert (maps.zero_share(0), maps.zero_share(1)) == (0.5, 0.25)


def test_masks_out_of_order_are_refused() -> None:
    maps = WeightedMaps(1, SIZE)
    with pytest.raises(AssertionError, match="in the order"):
        maps.add(1, MASKS.mask(1), np.ones(1))
