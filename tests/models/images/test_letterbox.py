import cv2
import numpy as np
import pytest
import torch

from models.images.letterbox import GREY, fit, letterbox, margin
from tests.support.contract import contract
from tests.support.images import Pixels, noise


@pytest.mark.parametrize(
    ("height", "width", "side", "expected"),
    [
        (480, 640, 640, (480, 640)),
        (640, 1, 640, (640, 1)),
        (960, 1280, 640, (480, 640)),
        (1000, 750, 640, (640, 480)),
        (300, 400, 640, (480, 640)),  # small images grow
        (100, 333, 640, (192, 640)),  # 100 * 640 / 333 = 192.19
        (499, 500, 64, (63, 64)),  # 499 * 0.128 = 63.87, and fractions are dropped
        (1, 1, 64, (64, 64)),
        (10000, 50, 640, (640, 3)),
        (1, 1000, 640, (1, 640)),  # 0.64 of a pixel is still one
        (1000, 1, 640, (640, 1)),
        (77, 77, 640, (639, 639)),  # 77 * (640 / 77) is 639.9999999999999 in floating point
    ],
)
def test_the_longer_side_fills_the_square(height: int, width: int, side: int, expected: tuple[int, int]) -> None:
    assert fit(height, width, side) == expected


def test_an_odd_rest_goes_after_the_image() -> None:
    assert [margin(length, 10) for length in (10, 9, 8, 7, 1)] == [0, 0, 1, 1, 4]


def test_margins_follow_the_published_rounding() -> None:
    for side in (32, 640, 1280):
        for length in range(1, side + 1):
            half = (side - length) / 2
            assert margin(length, side) == round(half - 0.1)
            assert side - length - margin(length, side) == round(half + 0.1)


def test_an_image_of_the_right_size_is_only_framed() -> None:
    image = noise(27, 32)
    square, size = letterbox(image, 32)
    assert size == (27, 32)
    assert np.array_equal(square[2:29], image)
    assert np.unique(square[:2]).tolist() == np.unique(square[29:]).tolist() == [GREY] == [114]


def test_a_tall_image_has_grey_at_its_sides() -> None:
    square, size = letterbox(np.full((100, 41, 3), 7, np.uint8), 64)
    assert size == (64, 26)  # 41 * 0.64 = 26.24
    assert (square == 7).all((0, 2)).tolist() == [19 <= column < 45 for column in range(64)]
    assert set(np.unique(square)) == {7, 114}


@contract("Images and boxes", "yolov5: OpenCV's resize and grey margins")
@pytest.mark.parametrize("shape", [(120, 161), (33, 20), (64, 64), (1, 1), (1, 90), (300, 7), (77, 77)], ids=str)
@pytest.mark.parametrize("side", [64, 640])
def test_letterboxing_equals_opencv(shape: tuple[int, int], side: int) -> None:
    image = noise(*shape)
    square, _ = letterbox(image, side)
    expected = reference(image, side)
    assert square.shape == expected.shape == (side, side, 3)
    assert square.dtype == np.uint8
    assert np.abs(square.astype(int) - expected).max() <= 1


def test_a_slice_of_a_tensor_is_letterboxed_as_it_stands() -> None:
    large = torch.from_numpy(noise(90, 120))
    part = large[10:61, 20:110].numpy()
    assert np.array_equal(letterbox(part, 64)[0], letterbox(np.ascontiguousarray(part), 64)[0])


def reference(image: Pixels, side: int) -> Pixels:
    """The rule of training, step by step, in OpenCV's functions."""
    height, width = image.shape[:2]
    ratio = side / max(height, width)
    if ratio != 1:
        size = max(1, int(width * ratio)), max(1, int(height * ratio))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)  # type: ignore[assignment]
    height, width = image.shape[:2]
    down, across = (side - height) / 2, (side - width) / 2
    edges = round(down - 0.1), round(down + 0.1), round(across - 0.1), round(across + 0.1)
    framed = cv2.copyMakeBorder(image, *edges, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return np.asarray(framed, dtype=np.uint8)
