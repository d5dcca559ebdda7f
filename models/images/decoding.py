"""Encoded bytes -> an RGB image, within limits that are checked before a pixel is decoded."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import ImageError

# Times the size at which a network sees an image; an image that is resized from there hardly differs
DECODED_SCALE = 2

# JPEGs with a second image inside, as phones write them, open as JPEG too
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")

# Our own limit below is a setting and always an error; Pillow's is a constant and at first only a warning
Image.MAX_IMAGE_PIXELS = None
# Pillow knows the names of its rarer formats only once it has loaded them
Image.init()


Elsewhere = Callable[[bytes | memoryview, bool, int | None], Image.Image]


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """The largest image accepted: encoded bytes, and width times height in pixels.

    With `scaled`, a JPEG may be decoded at a half, a quarter or an eighth of its size where that is enough. `elsewhere`
    decodes in place of this process: it takes the bytes, `exif` and `enough` as `decode` does, raises ImageError as it
    does, and returns an image of mode RGBX.
    """

    max_bytes: int
    max_pixels: int
    scaled: bool = False
    elsewhere: Elsewhere | None = None


def decode(
    data: bytes | memoryview, limits: ImageLimits, *, exif: bool = False, enough: int | None = None
) -> Image.Image:
    """Decode the first frame of a JPEG, PNG, WebP, BMP, GIF or TIFF into mode RGB, 8 bits a channel.

    Alpha is dropped. With `exif` an image is turned by its EXIF orientation; without it stays as stored, as in AutoML
    for Images, except that Pillow itself turns a TIFF. `enough` is the smallest shorter side, in pixels, that will do:
    where `limits.scaled` allows, a JPEG is decoded no larger than necessary, to pixels that differ a little.
    ImageError with the code `image_empty`, `image_too_large`, `image_format` or `image_unreadable`.
    """
    if limits.elsewhere is not None:
        return limits.elsewhere(data, exif, enough)
    image = _open(data, limits)
    if enough is not None and limits.scaled:
        shrink = enough / min(image.size)
        image.draft("RGB", (max(1, math.ceil(image.width * shrink)), max(1, math.ceil(image.height * shrink))))
    try:
        return _to_rgb(_turned(image) if exif else image)
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, MemoryError) as error:
        raise ImageError(
            "image_unreadable", f"The {image.format} picture is damaged or incomplete ({error}). Send it again whole."
        ) from None


def _open(data: bytes | memoryview, limits: ImageLimits) -> Image.Image:
    if len(data) == 0:
        raise ImageError("image_empty", "The picture has no bytes. Send the content of an image file.")
    if len(data) > limits.max_bytes:
        raise ImageError(
            "image_too_large",
            f"The picture has {len(data)} bytes; this server accepts up to {limits.max_bytes}. Compress or shrink it.",
        )
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(
            "image_format",
            f"The {len(data)} bytes starting with {bytes(data[:8])!r} are not a JPEG, PNG, WebP, BMP, GIF or TIFF "
            "picture. Send the bytes of such a file.",
        ) from None
    except Exception as error:  # a crafted header can raise almost anything from a parser
        raise ImageError("image_unreadable", f"The header of the picture is damaged ({error}).") from None
    if image.width * image.height > limits.max_pixels:
        raise ImageError(
            "image_too_large",
            f"The picture is {image.width}x{image.height} pixels; this server accepts up to {limits.max_pixels} "
            "pixels. Shrink it before sending.",
        )
    return image


def _turned(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (struct.error, KeyError, AttributeError, ZeroDivisionError, SyntaxError):
        return image  # damaged metadata say nothing about the orientation, but the pixels may be whole


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        return _from_deep_grey(image)
    # convert() does not read the pixels of an image that is RGB already
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    # Pillow's own conversion cuts 16-bit grey off at 255, which leaves a white image; the high byte is kept instead,
    # as Pillow does for 16-bit colour
    values = np.asarray(image).astype(np.int64)
    high = np.clip(values >> 8, 0, 255).astype(np.uint8)
    return Image.fromarray(high).convert("RGB")
