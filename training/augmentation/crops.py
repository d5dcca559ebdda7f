"""Random crops, flips and colours of whole images: what classifiers train on.

At full strength this is what the hosted service does: a crop of 8 % to 100 % of the image in proportions of 3:4 to 4:3
(Szegedy et al., https://arxiv.org/abs/1409.4842), a flip of every second image, and for every second one brightness,
contrast and saturation changed by up to 40 %. At strength 0 only the centre is left.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

_LEAST_AREA = 0.08
_PROPORTIONS = 4 / 3
_JITTER = 0.4
_TRIES = 10
_GREY = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def random_crop(rng: np.random.Generator, image: NDArray[np.uint8], side: int, strength: float) -> NDArray[np.uint8]:
    """Return a random part of an image, uint8 [H, W, 3], resized to [side, side, 3] and perhaps flipped."""
    height, width = image.shape[:2]
    box = _random_box(rng, width, height, strength)
    crop = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR, box=box))
    return crop[:, ::-1] if rng.random() < min(0.5, strength) else crop


def _random_box(
    rng: np.random.Generator, width: int, height: int, strength: float
) -> tuple[float, float, float, float]:
    least = 1 - (1 - _LEAST_AREA) * strength
    proportions = math.log(_PROPORTIONS) * strength
    for _ in range(_TRIES):
        area = width * height * rng.uniform(least, 1)
        proportion = math.exp(rng.uniform(-proportions, proportions))
        wide, high = math.sqrt(area * proportion), math.sqrt(area / proportion)
        if wide <= width and high <= height:
            left, top = rng.uniform(0, width - wide), rng.uniform(0, height - high)
            return left, top, left + wide, top + high
    # No such crop fits into a long image: the largest square of its centre, as in validation
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def jitter_colours(rngs: Sequence[np.random.Generator], images: Tensor, strength: float) -> Tensor:
    """Change brightness, contrast and saturation of every second image at random; float32 [N, 3, H, W] in [0, 255]."""
    factors = np.ones((3, len(rngs)), np.float32)
    for index, rng in enumerate(rngs):
        if rng.random() < 0.5:
            factors[:, index] = rng.uniform(1 - _JITTER * strength, 1 + _JITTER * strength, 3)
    if (factors == 1).all():
        return images
    brightness, contrast, saturation = torch.from_numpy(factors).view(3, len(rngs), 1, 1, 1)
    images = (images * brightness).clamp_(0, 255)
    mean = (images * _GREY).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    images = torch.lerp(mean, images, contrast).clamp_(0, 255)
    grey = (images * _GREY).sum(1, keepdim=True)
    return torch.lerp(grey, images, saturation).clamp_(0, 255)
