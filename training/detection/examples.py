"""What a detector trains on: images and tiles of them, decoded once at the size of the network's input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.dataset import CheckedImage
from data.progress import ProgressReport
from models.images.pixels import rgb_array
from models.images.tiling import Tile, tiles
from models.labels import Label
from training.decoded_images import decode_images
from training.detection.true_objects import TrueObjects, true_objects

Pixels = NDArray[np.uint8]
Fit = Callable[[Pixels], Pixels]

# EXIF orientations that turn an image by a quarter
_SIDEWAYS = range(5, 9)


@dataclass(frozen=True, slots=True)
class DetectorExample:
    """An image or a tile of one: where its pixels are, and its objects."""

    decoded: Sequence[Pixels]
    number: int
    objects: TrueObjects

    @property
    def pixels(self) -> Pixels:
        """The pixels, uint8 [H, W, 3], no larger than the network sees them."""
        return self.decoded[self.number]


def seen_size(image: CheckedImage, exif: bool) -> tuple[int, int]:
    """Return the (width, height) of an image, after it was turned where `exif` says so."""
    return image.size[::-1] if exif and image.orientation in _SIDEWAYS else image.size


def tiles_of(size: tuple[int, int], settings: Any) -> list[Tile]:
    """Return the tiles of an image of this (width, height); none where it is too small for them."""
    if settings.tile_grid_size is None:
        return []
    try:
        return tiles(*size, settings.tile_grid_size, settings.tile_overlap_ratio)
    except ValueError:
        return []


def decode_examples(
    images: Sequence[CheckedImage],
    *,
    labels: Sequence[Label],
    settings: Any,
    fit: Fit,
    shown: str,
    folder: Path,
    report: ProgressReport,
) -> list[DetectorExample]:
    """Decode images, and their tiles where the settings have a grid; `folder` keeps what was decoded.

    `fit` resizes an image or a tile, and `shown` says to what. A tile without objects is no example: the whole image
    shows the same background.
    """
    decode = partial(decode_images, exif=settings.exif, folder=folder, report=report)
    whole = decode(images, partial(_fitted, settings=settings, fit=fit), shown)
    objects = [true_objects(each.image, labels) for each in images]
    examples = [DetectorExample(whole, number, each) for number, each in enumerate(objects)]
    sizes = [seen_size(each, settings.exif) for each in images]
    cut = [tiles_of(size, settings) for size in sizes]
    for place in range(max(map(len, cut), default=0)):
        in_tiles = {
            number: objects[number].in_tile(parts[place], sizes[number])
            for number, parts in enumerate(cut)
            if place < len(parts)
        }
        kept = [number for number, each in in_tiles.items() if len(each)]
        what = f"tile {place} of {settings.tile_grid_size} with overlap {settings.tile_overlap_ratio} as {shown}"
        prepare = partial(_fitted, settings=settings, fit=fit, place=place)
        decoded = decode([images[number] for number in kept], prepare, what)
        examples += [DetectorExample(decoded, index, in_tiles[number]) for index, number in enumerate(kept)]
    return examples


def _fitted(image: Image.Image, settings: Any, fit: Fit, place: int | None = None) -> Pixels:
    pixels = rgb_array(image)
    if place is not None:
        tile = tiles_of(image.size, settings)[place]
        pixels = pixels[tile.top : tile.bottom, tile.left : tile.right]
    return fit(pixels)
