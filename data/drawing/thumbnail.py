"""Thumbnails: an image decoded no larger than it is shown."""

import math
from dataclasses import replace
from pathlib import Path

from PIL import Image

from data.headers import LIMITS
from models.images.decoding import decode

_LIMITS = replace(LIMITS, scaled=True)
_CLEAR = 3  # from this factor on, enlarged pixels stay squares


def thumbnail(file: Path, size: tuple[int, int] | None, bounds: tuple[int, int], *, exif: bool = False) -> Image.Image:
    """Decode an image of `size` (width, height as stored) as large as fits into `bounds` (width, height), mode RGB.

    Small images are enlarged. Without a `size` all of a JPEG is decoded, which takes longer. With `exif` it is turned
    by its orientation. ImageError where it cannot be decoded, OSError where it cannot be read.
    """
    # Twice as large as shown, since what comes of a JPEG at a half or an eighth is not as sharp
    enough = math.ceil(min(size) * 2 * max(bounds) / max(size)) if size else None
    image = decode(file.read_bytes(), _LIMITS, exif=exif, enough=enough)
    return fitted(image, bounds)


def fitted(image: Image.Image, bounds: tuple[int, int]) -> Image.Image:
    """Resize an image to the largest size within `bounds` (width, height), and to at least one pixel."""
    scale = min(bounds[0] / image.width, bounds[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if scale >= _CLEAR:
        return image.resize(size, Image.Resampling.NEAREST)
    if scale >= 1:
        return image.resize(size, Image.Resampling.BICUBIC)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
