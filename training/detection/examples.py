"""What a detector trains on: images and tiles of them, decoded once at the size of the network's input."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from data.dataset import CheckedImage
from data.progress import ProgressReport
from models.detection.torchvision_adapter import fitted_size
from models.images.pixels import rgb_array
from models.images.tiling import Tile, tiles
from models.labels import Label
from settings.model import DetectionSettings
from training.decoded_images import DecodedImages, decode_images
from training.detection.true_objects import TrueObjects, true_objects

# EXIF orientations that turn an image by a quarter
_SIDEWAYS = range(5, 9)


@dataclass(frozen=True, slots=True)
class DetectorExample:
    """An image or a tile of one: where its pixels are, and its objects."""

    decoded: DecodedImages
    number: int
    objects: TrueObjects

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The pixels, uint8 [H, W, 3], no larger than the network sees them."""
        pixels: NDArray[np.uint8] = self.decoded[self.number]
        return pixels


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
    labels: Sequence[Label],
    settings: DetectionSettings,
    folder: Path,
    report: ProgressReport,
) -> list[DetectorExample]:
    """Decode images, and their tiles where the settings have a grid; `folder` keeps what was decoded.

    A tile without objects is no example: the whole image shows the same background.
    """
    shown = f"a detector's input of {settings.min_size} to {settings.max_size} pixels"
    decode = partial(decode_images, exif=settings.exif, folder=folder, report=report)
    whole = decode(images, partial(_shrunk, settings=settings), shown)
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
        prepare = partial(_shrunk, settings=settings, place=place)
        decoded = decode([images[number] for number in kept], prepare, what)
        examples += [DetectorExample(decoded, index, in_tiles[number]) for index, number in enumerate(kept)]
    return examples


def _shrunk(image: Image.Image, settings: DetectionSettings, place: int | None = None) -> NDArray[np.uint8]:
    """Resize an image, or a tile of it, as scoring does; one that scoring would enlarge stays as it is."""
    pixels = rgb_array(image)
    if place is not None:
        tile = tiles_of(image.size, settings)[place]
        pixels = pixels[tile.top : tile.bottom, tile.left : tile.right]
    height, width = pixels.shape[:2]
    size = fitted_size(height, width, settings)
    if size[0] >= height:
        return pixels
    values = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    resized = functional.interpolate(values, size=size, mode="bilinear", align_corners=False)
    shrunk: NDArray[np.uint8] = resized[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
    return shrunk
