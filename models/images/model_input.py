"""DecodedImage: an image as one model input, or as several: the whole image and its tiles."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from models.images.tiling import Tile


@dataclass(frozen=True, slots=True)
class ModelInput:
    """An image or a tile of it as the network sees it.

    `data` is what the `outputs` of the model takes. Inputs of the same `shape` may share a batch. `pixels`, of the
    network's input, are its cost.
    """

    data: Any
    pixels: int
    shape: Hashable = None


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """The inputs of one image under `settings`, and the `tiles` that they show, the whole image first.

    Models with a single input per image leave `tiles` empty.
    """

    inputs: tuple[ModelInput, ...]
    settings: Any = None
    tiles: tuple[Tile, ...] = ()
