"""ImageMaps: what is kept of the explanations of one image."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 48
"""Cells of a map that is kept, across and down: enough to draw it over a thumbnail."""

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ImageMaps:
    """The explained labels of one image.

    - `selected`: the positions of the labels that were to be explained, in the order of their selection
    - `scores`: those of these labels, in [0, 1]
    - `maps`: for each of these labels that was explained, how much each cell speaks for it: float32 [SIDE, SIDE], from
      0 to 1; those of no use, as their label had enough, are left out
    - `best`: the position of the label of the highest score
    """

    selected: tuple[int, ...]
    scores: tuple[float, ...]
    maps: dict[int, Maps]
    best: int

    def to_bytes(self) -> bytes:
        """Return the content of a file; its maps take two bytes a cell."""
        stream = io.BytesIO()
        maps = np.zeros((len(self.maps), SIDE, SIDE), np.float16)
        for row, values in zip(maps, self.maps.values(), strict=True):
            row[:] = values
        np.savez(
            stream,
            selected=np.array(self.selected, np.int64),
            scores=np.array(self.scores, np.float64),
            explained=np.array(list(self.maps), np.int64),
            maps=maps,
            best=np.array(self.best),
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "ImageMaps":
        """Read what `to_bytes` returned; ValueError where it is damaged."""
        try:
            with np.load(io.BytesIO(content)) as stored:  # without pickles, as is numpy's default
                maps = {
                    int(target): values.astype(np.float32)
                    for target, values in zip(stored["explained"], stored["maps"], strict=True)
                }
                selected, scores = stored["selected"].tolist(), stored["scores"].tolist()
                return cls(tuple(selected), tuple(scores), maps, int(stored["best"]))
        except (OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"no maps: {error}") from None


def shrunk(weights: Maps) -> Maps:
    """Average weights, float32 [H, W], to what is kept: float32 [SIDE, SIDE], of values that take two bytes."""
    small = np.asarray(Image.fromarray(weights).resize((SIDE, SIDE), Image.Resampling.BOX))
    return small.astype(np.float16).astype(np.float32)


def enlarged(values: Maps, side: int) -> Maps:
    """Return a map that was kept at the size of an image, float32 [side, side]."""
    return np.asarray(Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR))
