"""From a decoded image to the crop that the network sees, and from there to normalised numbers.

Equal, pixel by pixel, to torchvision's Resize(int) -> CenterCrop(int) -> ToTensor -> Normalize on Pillow images.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from PIL import Image

from models.images.antialias import FILTERS, resized

INTERPOLATIONS = tuple(FILTERS)
Constants = tuple[torch.Tensor, torch.Tensor]  # mean and standard deviation, [1, 3, 1, 1] each


@dataclass(frozen=True, slots=True)
class Statistics:
    """How images were prepared in training; by default as for ImageNet with torchvision.

    Channel mean and standard deviation are in units of [0, 1]. `interpolation` is the resize filter; `squash` resizes
    both sides instead of keeping the aspect ratio. Where a centre crop removes or adds an odd number of pixels,
    `crop_rounding` names the library whose side the odd pixel goes to. `exif` turns an image by its EXIF orientation.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"
    squash: bool = False
    crop_rounding: Literal["torchvision", "transformers"] = "torchvision"
    exif: bool = False

    def constants(self, device: torch.device) -> Constants:
        """Return mean and deviation as float32 [1, 3, 1, 1], for callers that normalise often."""
        mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return mean, std

    def normalised(self, values: torch.Tensor, constants: Constants | None = None) -> torch.Tensor:
        """Normalise float32 [N, 3, H, W] in [0, 255], in place."""
        mean, std = constants or self.constants(values.device)
        return values.div_(255).sub_(mean).div_(std)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How images are prepared for a classifier: the sizes in pixels that they are resized and cropped to."""

    resize: int
    crop: int
    statistics: Statistics = field(default_factory=Statistics)

    def cropped(self, image: Image.Image) -> torch.Tensor:
        """Resize the shorter side, crop the centre, pad with black where the image is too small.

        Takes an image of mode RGB; returns uint8 [crop, crop, 3] in [0, 255].
        """
        width, height = self._resized(image.width, image.height)
        x, y = (_axis(size, self.crop, self.statistics.crop_rounding) for size in (width, height))
        box = (x.start, y.start, x.start + x.length, y.start + y.length)
        part = resized(image, (width, height), box, FILTERS[self.statistics.interpolation])
        if part.shape[:2] == (self.crop, self.crop):
            return torch.from_numpy(part)
        canvas = np.zeros((self.crop, self.crop, 3), dtype=np.uint8)
        canvas[y.pad : y.pad + y.length, x.pad : x.pad + x.length] = part
        return torch.from_numpy(canvas)

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return where the crop lies in an image of this size: left, top, right, bottom in pixels, with fractions.

        The box reaches beyond the edges where the crop was padded.
        """
        resized = self._resized(width, height)
        x, y = (_axis(size, self.crop, self.statistics.crop_rounding) for size in resized)
        scale_x, scale_y = width / resized[0], height / resized[1]
        left, top = (x.start - x.pad) * scale_x, (y.start - y.pad) * scale_y
        return left, top, left + self.crop * scale_x, top + self.crop * scale_y

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.statistics.squash:
            return self.resize, self.resize
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def inputs(self, crops: torch.Tensor, constants: Constants | None = None) -> torch.Tensor:
        """Normalise uint8 [N, crop, crop, 3] in [0, 255] to float32 [N, 3, crop, crop], channels last in memory.

        `constants` are those of `statistics` on the device of the crops; they are made anew where they are not given.
        """
        values = crops.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
        return self.statistics.normalised(values, constants)


@dataclass(frozen=True, slots=True)
class _CropAxis:
    start: int  # first pixel kept of the resized image
    length: int  # pixels kept
    pad: int  # black pixels before them


def _axis(size: int, crop: int, crop_rounding: str) -> _CropAxis:
    if size >= crop:
        # a half is rounded to the even number by torchvision, down by transformers
        start = round((size - crop) / 2) if crop_rounding == "torchvision" else (size - crop) // 2
        return _CropAxis(start, length=crop, pad=0)
    pad = (crop - size) // 2 if crop_rounding == "torchvision" else (crop - size + 1) // 2
    return _CropAxis(start=0, length=size, pad=pad)
