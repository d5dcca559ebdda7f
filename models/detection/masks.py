"""Masks: from the coarse probabilities over a box to its pixels, and from those to outlines and pictures.

Only the part of the picture around a box is ever drawn, and with NumPy alone: a second thread that computed with
PyTorch would slow down the one that runs the network.
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

# one cell more on each side, so that a mask fades out beyond its box instead of ending there
_MARGIN = 1
_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Stamp:
    """The pixels of an instance: bool [h, w], its first one at (`left`, `top`) of the picture."""

    pixels: NDArray[np.bool_]
    left: int
    top: int


def outlined(instances: Instances, objects: Sequence[Object]) -> list[Object]:
    """Add to each object the outlines of its mask, and where the settings say so its mask as a picture."""
    settings = instances.settings
    assert instances.masks is not None
    height, width = instances.size
    found = []
    for box, mask, told in zip(instances.boxes, instances.masks, objects, strict=True):
        corners = box * (width, height, width, height)
        if mask.dtype == np.bool_:
            stamp = filled(corners, mask, instances.size)
        else:
            stamp = stamped(corners, mask, instances.size, settings.mask_pixel_score_threshold)
        outlines = polygons(
            stamp.pixels, settings.max_number_of_polygon_points, (stamp.left, stamp.top), (width, height)
        )
        one: Object = {**told, "polygon": outlines}
        if settings.export_as_image:
            one["mask"] = _drawn(stamp, instances.size, settings.image_type)
        found.append(one)
    return found


def stamped(box: NDArray[np.float64], mask: NDArray[np.float32], size: tuple[int, int], threshold: float) -> Stamp:
    """Draw a mask, float32 [M, M] in [0, 1], over its `box` (left, top, right, bottom) in pixels of a picture.

    Pixels above `threshold` are set. The picture is `size` (height, width); what lies outside is cut off. Positions
    and the linear interpolation in between are those of torchvision.
    """
    cells = mask.shape[-1]
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * (cells + 2 * _MARGIN) / cells
    # towards zero, as a conversion to integers does
    left, top = (int(value) for value in middle - half)
    right, bottom = (int(value) for value in middle + half)
    columns, rows = max(right - left + 1, 1), max(bottom - top + 1, 1)
    y, x = slice(max(-top, 0), min(rows, size[0] - top)), slice(max(-left, 0), min(columns, size[1] - left))
    padded = np.pad(mask, _MARGIN)
    tall = _stretched(padded, rows, y)
    pixels = threshold < _stretched(tall.T, columns, x).T
    return Stamp(pixels, left + x.start, top + y.start)


def filled(box: NDArray[np.float64], mask: NDArray[np.bool_], size: tuple[int, int]) -> Stamp:
    """Draw a mask, bool [h, w], as the pixels of its `box` (left, top, right, bottom), whose edges are between pixels.

    The picture is `size` (height, width). A mask of another size than its box, as that of a tile, is drawn in squares.
    """
    left, top, right, bottom = (int(value) for value in np.rint(box))
    # at least one pixel, of the picture
    left, top = min(left, size[1] - 1), min(top, size[0] - 1)
    lengths = max(bottom - top, 1), max(right - left, 1)
    y, x = (
        (2 * np.arange(length) + 1) * side // (2 * length) for length, side in zip(lengths, mask.shape, strict=True)
    )
    return Stamp(mask[y[:, None], x], left, top)


def _stretched(values: NDArray[np.float32], length: int, kept: slice) -> NDArray[np.float32]:
    """Interpolate the rows of `values` to `length` rows, of which those `kept` are returned."""
    places = (np.arange(length, dtype=np.float32)[kept] + np.float32(0.5)) * np.float32(len(values) / length)
    places = (places - np.float32(0.5)).clip(0)
    low = np.minimum(places.astype(np.intp), len(values) - 1)
    high = np.minimum(low + 1, len(values) - 1)
    share = (places - low)[:, None]
    stretched: NDArray[np.float32] = values[low] * (1 - share) + values[high] * share
    return stretched


def _drawn(stamp: Stamp, size: tuple[int, int], kind: str) -> str:
    canvas = np.zeros(size, dtype=np.uint8)
    height, width = stamp.pixels.shape
    canvas[stamp.top : stamp.top + height, stamp.left : stamp.left + width] = stamp.pixels * np.uint8(255)
    buffer = BytesIO()
    Image.fromarray(canvas).save(buffer, {"JPG": "JPEG"}.get(kind, kind), quality=_QUALITY)
    return b64encode(buffer.getvalue()).decode("ascii")
