import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from models.images.antialias import FILTERS, resized
from models.images.preprocess import INTERPOLATIONS, Preprocess, Statistics
from tests.support.contract import contract
from tests.support.images import Pixels, painted

MODES = {
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
    "lanczos": InterpolationMode.LANCZOS,
}
SIZES = [
    (640, 480),
    (480, 640),
    (256, 256),
    (224, 224),
    (225, 223),
    (333, 517),
    (1001, 37),
    (37, 1001),
    (100, 100),
    (2, 3),
    (1, 1),
    (1, 7),
    (300, 1),
]


def torchvisions(pixels: Pixels, resize: int, crop: int, mode: str = "bilinear") -> Pixels:
    steps = transforms.Compose([transforms.Resize(resize, MODES[mode]), transforms.CenterCrop(crop)])
    return np.asarray(steps(Image.fromarray(pixels)))


def ours(pixels: Pixels, resize: int, crop: int, mode: str = "bilinear") -> Pixels:
    found = Preprocess(resize, crop, Statistics(interpolation=mode)).cropped(Image.fromarray(pixels))
    assert found.dtype == torch.uint8
    return found.numpy()


@contract(
    "Images and boxes",
    "Classification: shorter side resized by Pillow's bilinear filter, centre crop, padding with black",
)
@pytest.mark.parametrize(
    ("resize", "crop"),
    [(256, 224), (80, 64), (64, 64), (64, 80), (63, 64), (64, 63), (31, 100), (300, 1), (1, 1), (1, 5)],
    ids=str,
)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "{}x{}".format(*size))
def test_an_image_is_what_torchvision_makes_of_it(size: tuple[int, int], resize: int, crop: int) -> None:
    pixels = painted(1, *size)
    assert np.array_equal(ours(pixels, resize, crop), torchvisions(pixels, resize, crop))


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.sampled_from(INTERPOLATIONS))
@settings(deadline=None)
def test_it_is_so_for_all_sizes_and_filters(width: int, height: int, resize: int, crop: int, mode: str) -> None:
    pixels = painted(2, width, height)
    assert np.array_equal(ours(pixels, resize, crop, mode), torchvisions(pixels, resize, crop, mode))


def test_a_small_image_is_padded_with_black_all_around() -> None:
    found = ours(np.full((10, 20, 3), 255, np.uint8), 10, 40)
    assert found.shape == (40, 40, 3)
    assert found[15:25, 10:30].min() == 255
    assert found.sum() == 10 * 20 * 3 * 255


@pytest.mark.parametrize(("width", "height"), [(20_000, 1), (1, 20_000), (100_000, 1)], ids=str)
def test_a_long_narrow_image_stays_cheap(width: int, height: int) -> None:
    image = Image.fromarray(painted(3, width, height))
    ours(painted(3, 2, 2), 256, 224)  # compiles
    started = time.process_time()
    found = Preprocess(256, 224).cropped(image)
    # the whole resized image would have more than a gigapixel and take several seconds
    assert time.process_time() - started < 0.5
    assert found.shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("width", "height", "resize"),
    [(6_000, 20, 256), (20, 6_000, 256), (300, 200, 5_000), (1_500, 1_200, 256), (700, 3_000, 600), (2_000, 3_000, 90)],
    ids=str,
)
def test_an_image_that_is_worked_on_band_by_band_is_the_same(width: int, height: int, resize: int) -> None:
    pixels = painted(4, width, height)
    assert np.array_equal(ours(pixels, resize, 224), torchvisions(pixels, resize, 224))


@given(st.integers(20, 60), st.integers(20, 90), st.integers(5, 60), st.integers(-2, 2))
@settings(deadline=None)
def test_the_axis_that_comes_first_is_the_one_that_pillow_takes(width: int, height: int, to: int, more: int) -> None:
    size = to, max(1, height - 2 * (width - to) + more)
    image = Image.fromarray(painted(5, width, height))
    expected = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    assert np.array_equal(resized(image, size, (0, 0, *size), FILTERS["bilinear"]), expected)


@contract("Images and boxes", "Normalised by ImageNet's mean and deviation, transformers too")
@pytest.mark.parametrize(
    "statistics", [Statistics(), Statistics((0.5, 0.4, 0.3), (0.1, 0.2, 0.7))], ids=["imagenet", "others"]
)
def test_inputs_are_what_torchvision_makes_of_them(statistics: Statistics) -> None:
    pixels = [painted(seed, 30, 30) for seed in (5, 6, 7)]
    pixels[0][0, :3] = [[0, 0, 0], [255, 255, 255], [1, 128, 254]]
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize(statistics.mean, statistics.std)])
    expected = torch.stack([steps(Image.fromarray(each)) for each in pixels])
    batch = torch.from_numpy(np.stack(pixels))
    found = Preprocess(30, 30, statistics).inputs(batch)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(batch.numpy(), np.stack(pixels))


def test_statistics_are_imagenets() -> None:
    found = Preprocess(256, 224).statistics
    assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert found.interpolation == "bilinear"
