"""Baselines by name: images without content, at which paths start."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from explain.network.explained_image import ExplainedImage
from explain.request.parameter_types import BaselineName

CONSTANT_BASELINES: frozenset[BaselineName] = frozenset({"black", "white", "mean"})  # the same for every image
_BLUR = 1 / 16  # standard deviation as a share of the shorter side: no object can be recognised


def baseline_inputs(name: BaselineName, image: ExplainedImage, seed: int = 0) -> Tensor:
    """Return a baseline as the network sees it: float32 [3, H, W] on the device of the image's inputs."""
    if name == "mean":  # exactly 0: in an image of one colour, rounding would decide which pixels max pools pass
        return torch.zeros_like(image.inputs)
    return image.normalise(baseline_pixels(name, image, seed))


def baseline_pixels(name: BaselineName, image: ExplainedImage, seed: int = 0) -> Tensor:
    """Return a baseline for `image`: float32 [H, W, 3] in [0, 255] on the CPU.

    - `black` and `white`
    - `mean`: 0 after normalisation
    - `blur`: the image, blurred
    - `noise`: uniform, the same for the same seed
    - `image_min` and `image_max`: filled with the lowest or highest value of any channel of the image
    """
    pixels = image.pixels.float()
    match name:
        case "black":
            return torch.zeros_like(pixels)
        case "white":
            return torch.full_like(pixels, 255)
        case "mean":
            return _mean(image).expand_as(pixels).clone()
        case "blur":
            sigma = min(pixels.shape[:2]) * _BLUR
            blurred = ndimage.gaussian_filter(pixels.numpy(), (sigma, sigma, 0), mode="nearest")
            return torch.from_numpy(np.asarray(blurred))
        case "noise":
            return torch.rand(pixels.shape, generator=torch.Generator().manual_seed(seed)) * 255
        case "image_min":
            return torch.full_like(pixels, float(pixels.min()))
        case "image_max":
            return torch.full_like(pixels, float(pixels.max()))


def _mean(image: ExplainedImage) -> Tensor:
    # normalising is (v - mean) / std for each channel, so two values tell which v gives 0
    black, white = (image.normalise(torch.full((1, 1, 3), value)).flatten().cpu() for value in (0.0, 255.0))
    return 255 * black / (black - white)
