"""Baselines by name: images without content, at which paths start."""

import torch
from torch import Tensor

from explain.network.explained_image import ExplainedImage
from explain.perturbation.fills import fill
from explain.request.parameter_types import BaselineName

CONSTANT_BASELINES: frozenset[BaselineName] = frozenset({"black", "white", "mean"})  # the same for every image


def baseline_inputs(name: BaselineName, image: ExplainedImage, seed: int = 0) -> Tensor:
    """Return a baseline as the network sees it: float32 [3, H, W] on the device of the image's inputs."""
    if name == "mean":  # exactly 0: in an image of one colour, rounding would decide which pixels max pools pass
        return torch.zeros_like(image.inputs)
    return image.normalise(baseline_pixels(name, image, seed))


def baseline_pixels(name: BaselineName, image: ExplainedImage, seed: int = 0) -> Tensor:
    """Return a baseline for `image`: float32 [H, W, 3] in [0, 255] on the CPU.

    - `mean`: 0 after normalisation
    - `noise`: uniform, the same for the same seed
    - the others as `fill` makes them
    """
    match name:
        case "mean":
            return _mean(image).expand_as(image.pixels).clone()
        case "noise":
            return torch.rand(image.pixels.shape, generator=torch.Generator().manual_seed(seed)) * 255
        case _:
            return torch.from_numpy(fill(name, image.pixels.numpy()))


def _mean(image: ExplainedImage) -> Tensor:
    # normalising is (v - mean) / std for each channel, so two values tell which v gives 0
    black, white = (image.normalise(torch.full((1, 1, 3), value)).flatten().cpu() for value in (0.0, 255.0))
    return 255 * black / (black - white)
