"""Masks: from the coarse probabilities over a box to its pixels, and from those to outlines and mask images.

Only the part of the image around a box is drawn, and with NumPy alone: a second thread that computes with PyTorch would
slow down the one that runs the network.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.detection.instances import Instances
from models.detection.polygons import polygons
from models.predictions import Object

# one more cell on each side: a mask fades out beyond its box instead of ending there
_MARGIN = 1
_QUALITY = 95  # of a mask in JPEG


@dataclass(frozen=True, slots=True)
class PlacedMask:
    """The pixels of an instance: bool [h, w], whose first one is at (`left`, `top`) of the image."""

    pixels: NDArray[np.bool_]
    left: int
    top: int


def with_outlines(instances: Instances, objects: Sequence[Object]) -> list[Object]:
    """Add the outlines of its mask to each object and, where the settings ask for it, the mask as an image."""
    settings = instances.settings
    assert instances.masks is not None
    height, width = instances.size
    completed = []
    for box, mask, bare in zip(instances.boxes, instances.masks, objects, strict=True):
        corners = box * (width, height, width, height)
        if mask.dtype == np.bool_:
            placed = paste_pixels(corners, mask, instances.size)
        else:
            placed = paste_probabilities(corners, mask, instances.size, settings.mask_pixel_score_threshold)
        outlines = polygons(
            placed.pixels, settings.max_number_of_polygon_points, (placed.left, placed.top), (width, height)
        )
        each: Object = {**bare, "polygon": outlines}
        if settings.export_as_image:
            each["mask"] = _encoded(placed, instances.size, settings.image_type)
        completed.append(each)
    return completed


def paste_probabilities(
    box: NDArray[np.float64], mask: NDArray[np.float32], size: tuple[int, int], threshold: float
) -> PlacedMask:
    """Paste a mask, float32 [M, M] in [0, 1], over its `box` (left, top, right, bottom) in pixels of an image.

    Pixels above `threshold` are set. The image is `size` (height, width); the part of a mask outside is cut off.
    Positions and the linear interpolation between them are those of torchvision.
    """
    cells = mask.shape[-1]
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * (cells + 2 * _MARGIN) / cells
    # rounded towards zero
    left, top = (int(value) for value in middle - half)
    right, bottom = (int(value) for value in middle + half)
    columns, rows = max(right - left + 1, 1), max(bottom - top + 1, 1)
    y, x = slice(max(-top, 0), min(rows, size[0] - top)), slice(max(-left, 0), min(columns, size[1] - left))
    padded = np.pad(mask, _MARGIN)
    tall = _stretched(padded, rows, y)
    pixels = threshold < _stretched(tall.T, columns, x).T
    return PlacedMask(pixels, left + x.start, top + y.start)


def paste_pixels(box: NDArray[np.float64], mask: NDArray[np.bool_], size: tuple[int, int]) -> PlacedMask:
    """Paste a mask, bool [h, w], as the pixels of its `box` (left, top, right, bottom), whose edges are between pixels.

    The image is `size` (height, width). A mask whose size differs from its box, as in a tile, is enlarged to squares.
    """
    left, top, right, bottom = (int(value) for value in np.rint(box))
    # at least one pixel, inside the image
    left, top = min(left, size[1] - 1), min(top, size[0] - 1)
    lengths = max(bottom - top, 1), max(right - left, 1)
    y, x = (
        (2 * np.arange(length) + 1) * side // (2 * length) for length, side in zip(lengths, mask.shape, strict=True)
    )
    return PlacedMask(mask[y[:, None], x], left, top)


def _stretched(values: NDArray[np.float32], length: int, kept: slice) -> NDArray[np.float32]:
    """Interpolate the rows of `values` to `length` rows and return those in `kept`."""
    places = (np.arange(length, dtype=np.float32)[kept] + np.float32(0.5)) * np.float32(len(values) / length)
    places = (places - np.float32(0.5)).clip(0)
    low = np.minimum(places.astype(np.intp), len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    share = (places - low)[:, None]
    stretched: NDArray[np.float32] = values[low] * (1 - share) + values[high] * share
    return stretched


def _encoded(placed: PlacedMask, size: tuple[int, int], kind: str) -> str:
    canvas = np.zeros(size, dtype=np.uint8)
    height, width = placed.pixels.shape
    canvas[placed.top : placed.top + height, placed.left : placed.left + width] = placed.pixels * np.uint8(255)
    buffer = BytesIO()
    Image.fromarray(canvas).save(buffer, {"JPG": "JPEG"}.get(kind, kind), quality=_QUALITY)
    return b64encode(buffer.getvalue()).decode("ascii")
