"""DecodedImage: an image as a model sees it, in one input or in several."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from models.images.tiling import Tile


@dataclass(frozen=True, slots=True)
class ModelInput:
    """An image or a tile of it as the network sees it.

    `data` is what Model.outputs takes. Inputs of the same `shape` may share a batch; `pixels`, those of the network's
    input, are the cost of one.
    """

    data: Any
    pixels: int
    shape: Hashable = None


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """The inputs of one image under `settings`, and the `tiles` that they show, the whole image first.

    A model with one input for each image needs no `tiles`.
    """

    inputs: tuple[ModelInput, ...]
    settings: Any = None
    tiles: tuple[Tile, ...] = ()
