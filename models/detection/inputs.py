"""The inputs of a detector for one image: the whole image and, where the settings ask for them, its tiles."""

from typing import Any

from torch import Tensor

from models.detection.adapter import DetectorAdapter
from models.errors import ImageError
from models.images.model_input import DecodedImage, ModelInput
from models.images.tiling import Tile, tiles


def detector_inputs(pixels: Tensor, adapter: DetectorAdapter, settings: Any) -> DecodedImage:
    """Prepare an image, uint8 [h, w, 3], and its tiles; ImageError where it is too small for them."""
    height, width = pixels.shape[:2]
    parts = [Tile(0, 0, width, height), *_tiles(width, height, settings)]
    prepared = [adapter.prepare(pixels[tile.top : tile.bottom, tile.left : tile.right], settings) for tile in parts]
    inputs = tuple(ModelInput(each, each.pixels, (each.padded, settings)) for each in prepared)
    return DecodedImage(inputs, settings, tuple(parts))


def _tiles(width: int, height: int, settings: Any) -> list[Tile]:
    grid = settings.tile_grid_size
    if grid is None:
        return []
    try:
        return tiles(width, height, grid, settings.tile_overlap_ratio)
    except ValueError as error:
        message = f"The picture is too small for its tiles: {error}. Send a larger picture, or ask for fewer tiles."
        raise ImageError("tiles_empty", message) from None
