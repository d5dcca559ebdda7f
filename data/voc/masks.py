"""The masks of Pascal VOC: a picture whose pixels are the numbers of objects, in the order of the XML, 0 for none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data.format import Size
from data.outlines import pixels_of, run_lengths
from data.record import LabelledObject, RunLengths
from settings.excerpt import counted

MOST_OBJECTS = 254
_EDGE = 255  # around objects, and what nobody has decided about
_MOST_PIXELS = 2**28
_CHANNELS = 3


def read_masks(file: Path, count: int, size: Size) -> list[RunLengths | None]:
    """Return the masks of `count` objects in an image of `size` (width, height); None for one without a pixel.

    ValueError where the file is no such picture, or has other objects.
    """
    try:
        with Image.open(file) as image:
            if image.size != size:
                raise ValueError(f"{image.width}x{image.height} pixels, where the image has {size[0]}x{size[1]}")
            if image.mode not in {"P", "L"} or image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"pixels of mode {image.mode}; expected a palette")
            numbers = np.array(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"what cannot be read as a picture: {error}") from None
    found = [int(number) for number in np.unique(numbers) if number not in (0, _EDGE)]
    if found and found[-1] > count:
        if len(found) != count:
            raise ValueError(f"{counted(len(found), 'object')}, where the XML has {count}")
        wanted = found
    else:
        wanted = list(range(1, count + 1))
    return [run_lengths(numbers == number) if number in found else None for number in wanted]


def write_masks(file: Path, objects: Sequence[LabelledObject], size: Size) -> int:
    """Write the masks of objects in an image of `size` (width, height); return how many others partly cover.

    A pixel belongs to one object: the last one that has it. ValueError where a mask is broken.
    """
    numbers = np.zeros((size[1], size[0]), np.uint8)
    areas = []
    for number, each in enumerate(objects, 1):
        pixels = pixels_of(each, (size[1], size[0]))
        areas.append(int(pixels.sum()))
        numbers[pixels] = number
    image = Image.fromarray(numbers)
    image.putpalette([_colour(number, channel) for number in range(256) for channel in range(_CHANNELS)])
    image.save(file, "PNG")
    left = np.bincount(numbers.ravel(), minlength=len(objects) + 1)[1:]
    return int((left < areas).sum())


def _colour(number: int, channel: int) -> int:
    """Return one channel of the colour that VOC has for a number: its bits, spread over the channels."""
    return sum((number >> 3 * place + channel & 1) << 7 - place for place in range(3))
