"""Encoded bytes -> an RGB image, within limits that are checked before a pixel is decoded."""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
)

from models.errors import ImageError, first_line
from models.images.formats.jpeg import jpeg_without_metadata
from models.images.formats.orientation import Metadata, tiff_orientation, turned
from models.images.formats.png import png_without_metadata
from models.images.formats.signatures import format_of
from models.images.formats.tiff import TiffLayout, read_layout, without_other_tags
from models.images.formats.tiff_directory import marked_order, read_directory
from models.images.formats.tiff_samples import decode_samples
from models.images.formats.webp import WebPFirstFrame
from models.images.sample_scale import SampleType, scale_of

# Times the size at which a network sees an image; an image that is resized from there hardly differs
DECODED_SCALE = 2

_DECODERS: Mapping[str, type[ImageFile.ImageFile]] = MappingProxyType(
    {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "WEBP": WebPFirstFrame,
        "BMP": BmpImagePlugin.BmpImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
    }
)
FORMATS = tuple(_DECODERS)

# what a header without its end makes Pillow stumble over
_BREAKS_OFF = (struct.error, EOFError, IndexError, KeyError, TypeError)

_STRIP_PIXELS = 2**20  # of deep grey, scaled at a time
_LEAST_BLOCK = 16 * 2**20  # bytes

# Our own limit below is a setting and always an error; Pillow's is a constant and at first only a warning
Image.MAX_IMAGE_PIXELS = None


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


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an encoded image says of itself: its format, (width, height) in pixels, and orientation, 1 to 8.

    The size is that of what `decode` returns without `exif`, and the orientation what it would turn by with it. That of
    a TIFF is 1, as it is always turned.
    """

    format: str
    size: tuple[int, int]
    orientation: int


def read_header(data: bytes | memoryview, limits: ImageLimits) -> ImageHeader:
    """Read what an encoded image says of itself, without its pixels; raises ImageError as `decode` does."""
    form = _checked_format(data, limits)
    with _damage_told(form):
        whole = bytes(data)
        if form == "TIFF":
            directory = read_directory(whole, marked_order(whole))
            layout = read_layout(directory)
            _check_size(layout.width, layout.height, limits)
            swapped = tiff_orientation(directory) >= 5
            return ImageHeader(form, (layout.height, layout.width) if swapped else (layout.width, layout.height), 1)
        image, orientation = _opened(form, whole, limits)
        return ImageHeader(form, image.size, orientation)


def decode(
    data: bytes | memoryview, limits: ImageLimits, *, exif: bool = False, enough: int | None = None
) -> Image.Image:
    """Decode the first frame of a JPEG, PNG, WebP, BMP, GIF or TIFF into mode RGB, 8 bits a channel.

    Alpha is dropped. With `exif` an image is turned by the orientation that its EXIF or XMP tells; without it stays as
    stored, as in AutoML for Images. A TIFF is always turned, as by Pillow. Samples of more than 8 bits keep their
    contrast, see `scale_of`. Other metadata are not looked at, whatever their size or damage. `enough` is the smallest
    shorter side, in pixels, that will do: where `limits.scaled` allows, a JPEG is decoded no larger than necessary, to
    pixels that differ a little.

    Memory: the encoded bytes once more, and at most 8 bytes a pixel: the RGB image, for which Pillow takes 4, and what
    it is made of or turned from. A WebP takes 12, two canvases of an animation and a copy.

    ImageError with the code `image_empty`, `image_too_large`, `image_too_complex`, `image_format` or
    `image_unreadable`.
    """
    if limits.elsewhere is not None:
        return limits.elsewhere(data, exif, enough)
    form = _checked_format(data, limits)
    with _damage_told(form):
        whole = bytes(data)
        image, orientation = _tiff(whole, limits) if form == "TIFF" else _opened(form, whole, limits)
        if enough is not None and limits.scaled:
            shrink = enough / min(image.size)
            image.draft("RGB", (max(1, math.ceil(image.width * shrink)), max(1, math.ceil(image.height * shrink))))
        found = _to_rgb(image)
        return turned(found, orientation) if exif or form == "TIFF" else found


@contextmanager
def _damage_told(form: str) -> Iterator[None]:
    """Say of whatever a parser raises that the file is damaged."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # a crafted file can raise almost anything from a parser
        raise ImageError(
            "image_unreadable",
            f"The {form} picture is damaged or incomplete ({_reason(error)}). Send it again whole.",
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error.__cause__ or error, _BREAKS_OFF) or "not identified" in str(error):
        return "its header breaks off or is damaged"
    return first_line(error)


def _checked_format(data: bytes | memoryview, limits: ImageLimits) -> str:
    if len(data) == 0:
        raise ImageError("image_empty", "The picture has no bytes. Send the content of an image file.")
    if len(data) > limits.max_bytes:
        raise ImageError(
            "image_too_large",
            f"The picture has {len(data)} bytes; this server accepts up to {limits.max_bytes}. Compress or shrink it.",
        )
    form = format_of(data)
    if form is None:
        raise ImageError(
            "image_format",
            f"The {len(data)} bytes starting with {bytes(data[:8])!r} are not a JPEG, PNG, WebP, BMP, GIF or TIFF "
            "picture. Send the bytes of such a file.",
        )
    return form


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels:
        raise ImageError(
            "image_too_large",
            f"The picture is {width}x{height} pixels; this server accepts up to {limits.max_pixels} pixels. Shrink it "
            "before sending.",
        )


def _opened(form: str, data: bytes, limits: ImageLimits) -> tuple[Image.Image, int]:
    if form == "JPEG":
        data, metadata = jpeg_without_metadata(data)
    elif form == "PNG":
        data, metadata = png_without_metadata(data)
    image = _DECODERS[form](BytesIO(data))
    _check_size(*image.size, limits)
    if form not in ("JPEG", "PNG"):
        metadata = Metadata(*([image.info[name]] if name in image.info else [] for name in ("exif", "xmp")))
    return image, metadata.orientation()


def _tiff(data: bytes, limits: ImageLimits) -> tuple[Image.Image, int]:
    directory = read_directory(data, marked_order(data))
    layout = read_layout(directory)
    _check_size(layout.width, layout.height, limits)
    if layout.is_deep:
        image = decode_samples(data, layout, max(_LEAST_BLOCK, 4 * limits.max_pixels))
    else:
        image = _shallow(without_other_tags(data, directory), layout)
    return image, tiff_orientation(directory)


def _shallow(data: bytes, layout: TiffLayout) -> Image.Image:
    try:
        return TiffImagePlugin.TiffImageFile(BytesIO(data))
    except Exception as error:
        raise ImageError(
            "image_unreadable",
            f"The TIFF picture, {layout}, is damaged or of a kind that this server does not read "
            f"({first_line(error)}). Send it with 8 bits a channel, or as PNG or JPEG.",
        ) from None


def _to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode.startswith("I"):
        image = _from_deep_grey(image)
    # convert() does not read the pixels of an image that is RGB already
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale grey of 16 bits to mode L in strips, and let go of the image.

    Pillow itself would cut it off at 255, to white.
    """
    scale = scale_of(SampleType(16, "unsigned"), *image.getextrema())
    pixels = np.empty((image.height, image.width), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows] = scale(np.asarray(strip))
    image.close()
    return Image.fromarray(pixels)
