import tracemalloc

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.images.area_resize import resize
from tests.support.images import Pixels, noise


def opencv(image: Pixels, height: int, width: int) -> Pixels:
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), dtype=np.uint8)


def differences(first: Pixels, second: Pixels) -> NDArray[np.int64]:
    assert first.shape == second.shape
    assert first.dtype == second.dtype == np.uint8
    found: NDArray[np.int64] = np.abs(first.astype(np.int64) - second)
    return found


def column(*levels: int) -> Pixels:
    return np.array(levels, dtype=np.uint8)[:, None, None]


def test_a_shrinking_axis_counts_what_each_result_covers() -> None:
    # each result covers one and a half values: (0 + 90 / 2) / 1.5 and (90 / 2 + 240) / 1.5
    assert resize(column(0, 90, 240), 2, 1).ravel().tolist() == [30, 190]
    # 5 values in 3 results of 5/3: (10 + 2/3 * 40) / (5/3), (1/3 * 40 + 70 + 1/3 * 100) / (5/3), (2/3 * 100 + 130) ...
    assert resize(column(10, 40, 70, 100, 130), 3, 1).ravel().tolist() == [22, 70, 118]
    assert resize(column(0, 100, 7, 9), 2, 1).ravel().tolist() == [50, 8]


def test_a_growing_axis_joins_the_centres_by_straight_lines() -> None:
    assert resize(column(0, 100), 4, 1).ravel().tolist() == [0, 25, 75, 100]
    assert resize(column(0, 60, 240), 5, 1).ravel().tolist() == [0, 24, 60, 168, 240]
    assert resize(column(77), 3, 1).ravel().tolist() == [77, 77, 77]


def test_columns_are_treated_as_rows_are_and_colours_apart() -> None:
    image = noise(37, 53)
    for height, width in ((20, 31), (80, 90)):
        turned = resize(image.swapaxes(0, 1), width, height).swapaxes(0, 1)
        assert differences(resize(image, height, width), turned).max() <= 1
        for colour in range(3):
            alone = resize(image[:, :, colour : colour + 1], height, width)
            assert np.array_equal(alone[:, :, 0], resize(image, height, width)[:, :, colour])


def test_one_axis_may_shrink_while_the_other_grows() -> None:
    image = noise(50, 20)
    both = resize(image, 30, 45)
    assert differences(both, resize(resize(image, 30, 20), 30, 45)).max() <= 1


@pytest.mark.parametrize("seed", range(60))
def test_random_sizes_equal_opencv(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.integers(1, 700, 2))
    longer = int(random.integers(1, 700))
    ratio = longer / max(height, width)
    size = max(1, int(height * ratio)), max(1, int(width * ratio))
    image = noise(height, width, seed)
    found = differences(resize(image, *size), opencv(image, *size))
    assert found.max() <= 1
    # OpenCV's linear weights have 11 bits only, and it rounds halves up when it halves an image
    share = 0.15 if ratio > 1 or max(height, width) == 2 * longer else 0.001
    assert np.count_nonzero(found) <= share * found.size + 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1, 1), (640, 640)),
        ((1, 7), (91, 640)),
        ((1, 500), (1, 64)),
        ((500, 1), (64, 1)),
        ((2, 3), (1, 1)),
        ((10000, 50), (640, 3)),
        ((50, 10000), (3, 640)),
        ((960, 1280), (480, 640)),
        ((960, 1440), (320, 480)),
        ((1024, 768), (256, 192)),
        ((1300, 1000), (100, 76)),
        ((639, 640), (638, 639)),
        ((639, 640), (640, 641)),
    ],
    ids=str,
)
def test_marked_sizes_equal_opencv(before: tuple[int, int], after: tuple[int, int]) -> None:
    image = noise(*before)
    assert differences(resize(image, *after), opencv(image, *after)).max() <= 1


def test_even_images_stay_as_they_are() -> None:
    for level in (0, 1, 114, 254, 255):
        for height, width in ((7, 5), (640, 301), (333, 1000)):
            assert np.unique(resize(np.full((400, 300, 3), level, np.uint8), height, width)).tolist() == [level]


def test_the_same_size_changes_nothing() -> None:
    assert np.array_equal(resize(noise(9, 14), 9, 14), noise(9, 14))


def test_a_slice_in_any_order_of_memory_is_an_image() -> None:
    large = noise(300, 400)
    for part in (large[50:201, 30:333], large[::2, ::-3], large[..., ::-1], large.transpose(1, 0, 2)):
        assert not part.flags.c_contiguous
        for height, width in ((60, 50), (400, 500)):
            assert np.array_equal(resize(part, height, width), resize(np.ascontiguousarray(part), height, width))


def test_a_large_image_is_never_copied_as_a_whole() -> None:
    image = noise(3000, 4000)  # 36 MB
    tracemalloc.start()
    try:
        resize(image, 480, 640)
        assert tracemalloc.get_traced_memory()[1] < 12e6
    finally:
        tracemalloc.stop()
