"""Masks as run lengths, beside pycocotools."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as reference

from models.detection.masks import PlacedMask
from training.metrics.mask_runs import encoded, placed_run_lengths

SIZE = (12, 9)


def pasted(pixels: NDArray[np.bool_], left: int, top: int) -> NDArray[np.bool_]:
    canvas = np.zeros(SIZE, np.bool_)
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return canvas


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
@pytest.mark.parametrize(("left", "top", "height", "width"), [(0, 0, *SIZE), (2, 3, 5, 4), (4, 0, 12, 5), (1, 7, 5, 8)])
def test_runs_are_those_of_the_whole_image(left: int, top: int, height: int, width: int, share: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        pixels = rng.random((height, width)) < share
        found = placed_run_lengths(PlacedMask(pixels, left, top), SIZE)
        canvas = pasted(pixels, left, top)
        assert sum(found.counts) == canvas.size
        assert 0 not in found.counts[1:], "no run is empty, but for the first"
        assert found.size == SIZE
        values = np.repeat(np.arange(len(found.counts)) % 2, found.counts)
        assert (values.reshape(SIZE, order="F") == canvas).all()
        assert encoded(found) == reference.encode(np.asfortranarray(canvas, np.uint8))
