"""From a decoded picture to what the network sees, and from there to numbers.

Equal, pixel by pixel, to torchvision's Resize(int) -> CenterCrop(int) -> ToTensor -> Normalize on Pillow pictures.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from PIL import Image

from models.images.antialias import FILTERS, resized

INTERPOLATIONS = tuple(FILTERS)
Constants = tuple[torch.Tensor, torch.Tensor]  # a mean and a standard deviation


@dataclass(frozen=True, slots=True)
class Statistics:
    """How training saw pictures; by default as for ImageNet with torchvision.

    Channel mean and standard deviation are in units of [0, 1]. `interpolation` is the resize filter; `squash` resizes
    both sides instead of keeping the aspect ratio. Where an odd number of pixels is cut off or added, `uneven` says
    where the odd one goes: torchvision and transformers differ. `upright` turns a picture as its EXIF orientation says.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"
    squash: bool = False
    uneven: Literal["torchvision", "transformers"] = "torchvision"
    upright: bool = False

    def constants(self, device: torch.device) -> Constants:
        """Return mean and deviation as float32 [1, 3, 1, 1], for those who normalise often."""
        mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return mean, std

    def normalised(self, values: torch.Tensor, constants: Constants | None = None) -> torch.Tensor:
        """Normalise float32 [N, 3, H, W] in [0, 255], in place."""
        mean, std = constants or self.constants(values.device)
        return values.div_(255).sub_(mean).div_(std)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What a network was trained to see: the sizes in pixels that a picture is resized and cropped to."""

    resize: int
    crop: int
    statistics: Statistics = field(default_factory=Statistics)

    def picture(self, image: Image.Image) -> torch.Tensor:
        """Resize the shorter side, crop the centre, pad with black what is missing.

        Takes mode RGB; returns uint8 [crop, crop, 3] in [0, 255].
        """
        width, height = self._resized(image.width, image.height)
        x, y = (_axis(size, self.crop, self.statistics.uneven) for size in (width, height))
        box = (x.start, y.start, x.start + x.length, y.start + y.length)
        part = resized(image, (width, height), box, FILTERS[self.statistics.interpolation])
        if part.shape[:2] == (self.crop, self.crop):
            return torch.from_numpy(part)
        canvas = np.zeros((self.crop, self.crop, 3), dtype=np.uint8)
        canvas[y.pad : y.pad + y.length, x.pad : x.pad + x.length] = part
        return torch.from_numpy(canvas)

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return where the crop lies in a picture of this size: left, top, right, bottom in its pixels.

        Fractions count; the box reaches beyond the edges where the crop was padded.
        """
        resized = self._resized(width, height)
        x, y = (_axis(size, self.crop, self.statistics.uneven) for size in resized)
        scale_x, scale_y = width / resized[0], height / resized[1]
        left, top = (x.start - x.pad) * scale_x, (y.start - y.pad) * scale_y
        return left, top, left + self.crop * scale_x, top + self.crop * scale_y

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.statistics.squash:
            return self.resize, self.resize
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def inputs(self, pictures: torch.Tensor, constants: Constants | None = None) -> torch.Tensor:
        """Normalise uint8 [N, crop, crop, 3] in [0, 255] to float32 [N, 3, crop, crop], channels last in memory.

        `constants` are those of `statistics` on the device of the pictures, made anew where they are not given.
        """
        values = pictures.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
        return self.statistics.normalised(values, constants)


@dataclass(frozen=True, slots=True)
class _CropAxis:
    start: int  # first pixel kept of the resized picture
    length: int  # pixels kept
    pad: int  # black pixels before them


def _axis(size: int, crop: int, uneven: str) -> _CropAxis:
    if size >= crop:
        # halves go to the even number, or down
        start = round((size - crop) / 2) if uneven == "torchvision" else (size - crop) // 2
        return _CropAxis(start, length=crop, pad=0)
    pad = (crop - size) // 2 if uneven == "torchvision" else (crop - size + 1) // 2
    return _CropAxis(start=0, length=size, pad=pad)
