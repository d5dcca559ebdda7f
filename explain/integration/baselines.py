"""Baselines by name: pictures that show nothing, from which paths start."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from explain.network.explained_image import ExplainedImage
from explain.request.parameter_types import BaselineName

EVEN: frozenset[BaselineName] = frozenset({"black", "white", "mean"})  # the same for every picture
_BLUR = 1 / 16  # standard deviation as a share of the shorter side: no object is left to recognise


def start(name: BaselineName, subject: ExplainedImage, seed: int = 0) -> Tensor:
    """Return a baseline as the network sees it: float32 [3, H, W] on the device of the subject's inputs."""
    if name == "mean":  # exactly 0: in an even picture, rounding would decide which pixels a network's max pools pass
        return torch.zeros_like(subject.inputs)
    return subject.normalise(baseline(name, subject, seed))


def baseline(name: BaselineName, subject: ExplainedImage, seed: int = 0) -> Tensor:
    """Return a baseline for the picture of `subject`: float32 [H, W, 3] in [0, 255] on the CPU.

    `black` and `white`; `mean`, which is 0 after normalisation; the `blur`red picture; uniform `noise`, the same for
    the same seed; `image_min` and `image_max`, filled with the lowest and highest value of any channel of the picture.
    """
    picture = subject.picture.float()
    match name:
        case "black":
            return torch.zeros_like(picture)
        case "white":
            return torch.full_like(picture, 255)
        case "mean":
            return _mean(subject).expand_as(picture).clone()
        case "blur":
            sigma = min(picture.shape[:2]) * _BLUR
            blurred = ndimage.gaussian_filter(picture.numpy(), (sigma, sigma, 0), mode="nearest")
            return torch.from_numpy(np.asarray(blurred))
        case "noise":
            return torch.rand(picture.shape, generator=torch.Generator().manual_seed(seed)) * 255
        case "image_min":
            return torch.full_like(picture, float(picture.min()))
        case "image_max":
            return torch.full_like(picture, float(picture.max()))


def _mean(subject: ExplainedImage) -> Tensor:
    # normalising is (v - mean) / std for each channel, so two values tell which v gives 0
    black, white = (subject.normalise(torch.full((1, 1, 3), value)).flatten().cpu() for value in (0.0, 255.0))
    return 255 * black / (black - white)
