"""Picture: a decoded picture as a model will look at it, once or several times."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from models.tiling import Tile


@dataclass(frozen=True, slots=True)
class Look:
    """One pass of a network over a picture or a part of it.

    `view` is what Model.outputs takes. Looks of the same `shape` may share a batch; `pixels` of the network's input are
    their cost.
    """

    view: Any
    pixels: int
    shape: Hashable = None


@dataclass(frozen=True, slots=True)
class Picture:
    """The looks at a picture under `settings`, and the part of it that each is at, the whole of it first.

    A model that looks once needs no `tiles`.
    """

    looks: tuple[Look, ...]
    settings: Any = None
    tiles: tuple[Tile, ...] = ()
