"""Masks as run lengths, without an image full of pixels for each of them."""

from typing import TypedDict

import numpy as np
from faster_coco_eval.core import mask as run_length_masks

from data.record import RunLengths
from models.detection.masks import PlacedMask


class EncodedMask(TypedDict):
    """Run lengths as COCO's tools compress them: (height, width), and runs as bytes."""

    size: list[int]
    counts: bytes


def placed_run_lengths(mask: PlacedMask, size: tuple[int, int]) -> RunLengths:
    """Return a mask that lies in an image of (height, width). Only its own pixels are looked at."""
    height, width = size
    columns = np.pad(mask.pixels.T, ((0, 0), (1, 1))).astype(np.int8)
    column, row = np.nonzero(np.diff(columns, axis=1))
    # Starts and ends of runs by turns, as places among all pixels, column after column
    edges = (mask.left + column) * height + mask.top + row
    # A run that reaches the bottom goes on where the next column begins with one
    joined = np.flatnonzero(edges[1:-1:2] == edges[2::2]) * 2 + 1
    edges = np.delete(edges, [*joined, *(joined + 1)])
    counts = np.diff(edges, prepend=0, append=height * width)
    return RunLengths(size, tuple(counts.tolist()[: None if counts[-1] else -1]))


def encoded(mask: RunLengths) -> EncodedMask:
    """Compress run lengths for COCO's tools."""
    height, width = mask.size
    given = {"size": [height, width], "counts": list(mask.counts)}
    compressed: EncodedMask = run_length_masks.frPyObjects(given, height, width)
    return compressed
