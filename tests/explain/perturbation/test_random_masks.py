"""Random masks: the same for the same seed and number, in antithetic pairs, smooth, and even on average."""

import numpy as np
import pytest

from explain.perturbation.random_masks import RandomMasks

MASKS = RandomMasks((40, 56), (4, 7), share=0.5, seed=3)


def test_a_mask_is_made_anew_from_its_number() -> None:
    found = [MASKS.mask(number) for number in (6, 2, 6)]
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], RandomMasks((40, 56), (4, 7), seed=4).mask(6))
    assert found[0].dtype == np.float32
    assert found[0].shape == (40, 56)


def test_two_masks_are_complements() -> None:
    for pair in range(20):
        assert np.array_equal(MASKS.mask(2 * pair + 1), 1 - MASKS.mask(2 * pair))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_expected_mask_is_even(share: float) -> None:
    masks = RandomMasks((24, 24), (3, 3), share=share, seed=1)
    drawn = np.stack([masks.mask(number) for number in range(4000)])
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert np.abs(drawn.mean(0) - share).max() < 0.03, "also at the edges, which zeros around the grid would darken"
    one, other = drawn[::2, 12, 12], drawn[1::2, 12, 12]
    assert np.corrcoef(one, other)[0, 1] < -0.2, "what one mask shows, the other rather hides"


def test_masks_are_a_grid_enlarged_bilinearly_and_shifted() -> None:
    """With one cell of 16 pixels visible, a mask falls by 1/16 a pixel along each side."""
    masks = RandomMasks((64, 64), (4, 4), seed=0)
    steps = np.stack([np.diff(masks.mask(number), axis=axis)[:48, :48] for number in range(30) for axis in (0, 1)])
    assert np.abs(steps).max() == pytest.approx(1 / 16, abs=1e-5)
    flat = np.stack([masks.mask(number) for number in range(30)])
    # the nodes, where a cell is wholly visible or hidden, lie elsewhere in each pair
    assert len({tuple(np.argwhere(mask > 0.999)[0]) for mask in flat if (mask > 0.999).any()}) > 10


def test_sizes_that_cells_do_not_divide() -> None:
    assert RandomMasks((1, 1), (1, 1)).mask(0).shape == (1, 1)
    assert RandomMasks((37, 91), (16, 5)).mask(9).shape == (37, 91)
    assert RandomMasks((3, 3), (8, 8)).mask(1).shape == (3, 3), "cells smaller than a pixel"
