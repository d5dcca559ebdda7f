"""What crops of decoded images show, beside crops of the images as they are."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.dataset import CheckedImage
from data.record import LabelledImage
from tests.support.training.coloured_images import small_hyperparameters, small_recipe, small_setup
from training.augmentation.crops import random_crop

SIDE, COUNT = 16, 24


def striped_images(folder: Path, size: tuple[int, int]) -> tuple[CheckedImage, ...]:
    """Write images of stripes, six pixels of 64 wide each, which a shorter side of 18 pixels blurs."""
    across = np.arange(size[0]) * 64 // min(size) // 6 % 2
    images = []
    for index in range(COUNT):
        file = folder / f"{index}.png"
        pixels = np.zeros((size[1], size[0], 3), np.uint8)
        pixels[:, :, index % 3] = across * 255
        Image.fromarray(pixels).save(file)
        record = LabelledImage(file.name, index + 1, (["blue", "green", "red"][index % 3],))
        images.append(CheckedImage(record, file, size, f"{index}"))
    return tuple(images)


def contrast(images: Sequence[NDArray[np.uint8]]) -> float:
    """Return how much a random crop of each image differs from its mean."""
    crops = [random_crop(np.random.default_rng(place), image, SIDE, 1.0) for place, image in enumerate(images)]
    return float(np.stack(crops).std((1, 2)).max(1).mean())


def test_crops_are_as_sharp_as_those_of_whole_images(tmp_path: Path) -> None:
    images = striped_images(tmp_path, (80, 64))
    setup = replace(small_setup(tmp_path, small_hyperparameters(), count=3), training=images)
    whole = [np.asarray(Image.open(each.file)) for each in images]
    assert contrast(small_recipe(setup)._images) > 0.9 * contrast(whole)


def test_small_images_are_not_enlarged(tmp_path: Path) -> None:
    setup = small_setup(tmp_path, small_hyperparameters(), count=3)  # images of 24 by 20 pixels, 32 would do
    assert [image.shape for image in small_recipe(setup)._images] == [(20, 24, 3)] * 3
