"""Boxes after mosaics beside the pixels that were painted: each object is a rectangle of a colour of its own."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.images.letterbox import GREY
from training.augmentation.mosaic import Example, Placement, centred, mosaic, paint, random_scale
from training.detection.true_objects import TrueObjects

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))


def example(number: int, size: tuple[int, int], box: tuple[int, int, int, int], crowd: bool = False) -> Example:
    pixels = np.zeros((*size, 3), np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = COLOURS[number]
    shares = np.array([box], float) / (size[1], size[0], size[1], size[0])
    return pixels, TrueObjects(shares, np.array([number]), np.array([crowd]), ((),))


def painted_box(square: NDArray[np.uint8], number: int) -> NDArray[np.float64] | None:
    close = (np.abs(square.astype(int) - COLOURS[number]) < 128).all(-1)
    if not close.any():
        return None
    rows, columns = np.flatnonzero(close.any(-1)), np.flatnonzero(close.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


FOUR = [
    example(0, (120, 160), (20, 30, 90, 100)),
    example(1, (160, 100), (10, 20, 80, 90), crowd=True),
    example(2, (160, 160), (60, 60, 150, 140)),
    example(3, (40, 160), (5, 5, 100, 35)),
]


@pytest.mark.parametrize("mirrored", [False, True])
def test_boxes_lie_where_the_objects_are_painted(mirrored: bool) -> None:
    side, seen = 192, [0, 0, 0, 0]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scale = random_scale(rng)
        sizes = [(pixels.shape[0], pixels.shape[1]) for pixels, _ in FOUR]
        square = np.full((side, side, 3), GREY, np.uint8)
        objects = paint(square, FOUR, mosaic(rng, sizes, side, scale * side / 160, scale), mirrored=mirrored)
        for box, label in zip(objects.boxes, objects.labels, strict=True):
            expected = painted_box(square, int(label))
            assert expected is not None
            assert np.abs(box - expected).max() < 1
            seen[label] += 1
        assert objects.crowd.tolist() == (objects.labels == 1).tolist()
        assert (objects.boxes >= 0).all() and (objects.boxes <= side).all()
    assert min(seen) > 10


def test_scales_cover_half_to_one_and_a_half_times() -> None:
    scales = [random_scale(np.random.default_rng(seed)) for seed in range(200)]
    assert 0.5 <= min(scales) < 0.52 and 1.48 < max(scales) <= 1.5


def test_four_images_meet_in_a_point() -> None:
    sizes = [(120, 160), (160, 100), (160, 160), (40, 160)]
    first, second, third, fourth = mosaic(np.random.default_rng(3), sizes, 160, 0.75, 0.75)
    point = fourth.left, fourth.top
    assert (first.left + first.width, first.top + first.height) == point
    assert (second.left, second.top + second.height) == point
    assert (third.left + third.width, third.top) == point
    assert (second.width, second.height) == (75, 120)


def test_an_object_that_shows_little_is_left_out() -> None:
    # a tenth and then a quarter of its width are inside
    for left, kept in ((-83, 0), (-72, 1)):
        square = np.full((160, 160, 3), GREY, np.uint8)
        objects = paint(square, [FOUR[0]], [Placement(left, 0, 160, 120)], mirrored=False)
        assert len(objects.labels) == kept
        assert painted_box(square, 0) is not None


def test_an_object_of_two_pixels_is_left_out() -> None:
    tiny = example(0, (160, 160), (20, 30, 40, 130))
    assert len(paint(np.zeros((32, 32, 3), np.uint8), [tiny], [Placement(0, 0, 32, 32)], mirrored=False).labels) == 1
    assert len(paint(np.zeros((16, 16, 3), np.uint8), [tiny], [Placement(0, 0, 16, 16)], mirrored=False).labels) == 0


def test_an_image_lies_in_the_middle() -> None:
    assert centred((120, 160), 160, 1.0) == Placement(0, 20, 160, 120)
    assert centred((120, 160), 160, 1.5) == Placement(-40, -10, 240, 180)
