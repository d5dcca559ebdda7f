"""Outlines: from polygons to pixels, and from pixels to run lengths and polygons.

A pixel belongs to a polygon if its centre does. Pixels are bool [height, width]; polygons are shares of the image.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.measure import find_contours

from data.record import Box, LabelledObject, Outline, RunLengths
from models.detection.polygons import approximated

Pixels = NDArray[np.bool_]

# No centre of a pixel is nearer to an outline than 0.354, so that simplified ones still have the same pixels inside
_TOLERANCE = 0.35
_FEWEST_POINTS = 3
_FAR = 1e6  # widths of an image: points farther outside are as far, for numbers may be too large to calculate with


def hull(polygons: Sequence[Outline]) -> Box:
    """Return the smallest box around all points of some outlines, of which there is at least one."""
    across = [value for polygon in polygons for value in polygon[0::2]]
    down = [value for polygon in polygons for value in polygon[1::2]]
    return min(across), min(down), max(across), max(down)


def rasterised(polygons: Sequence[Outline], size: tuple[int, int]) -> Pixels:
    """Return the pixels inside any of some polygons, for an image of `size` (height, width): bool [height, width].

    Of a polygon that crosses itself, what an odd number of its parts covers is inside. Points may be outside the image.
    """
    pixels = np.zeros(size, bool)
    for polygon in polygons:
        points = np.asarray(polygon, np.float64).reshape(-1, 2).clip(-_FAR, _FAR) * (size[1], size[0])
        low, high = np.floor(points.min(0)), np.ceil(points.max(0))
        left, top = (int(value) for value in np.clip(low, 0, (size[1], size[0])))
        right, bottom = (int(value) for value in np.clip(high, 0, (size[1], size[0])))
        if left < right and top < bottom:
            pixels[top:bottom, left:right] |= _inside(points - (left, top), bottom - top, right - left)
    return pixels


def _inside(points: NDArray[np.float64], height: int, width: int) -> Pixels:
    """Return the pixels of a part of an image that are inside a polygon, float64 [n, 2] as x and y in pixels."""
    following = np.roll(points, -1, 0)
    # an edge crosses the middles of the rows from `first` to before `last`
    first, last = (
        np.ceil(np.clip(chosen(points[:, 1], following[:, 1]) - 0.5, 0, height)).astype(np.intp)
        for chosen in (np.minimum, np.maximum)
    )
    counts = last - first
    edges = np.repeat(np.arange(len(points)), counts)
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    start, step = points[edges], (following - points)[edges]
    across = start[:, 0] + (rows + 0.5 - start[:, 1]) * step[:, 0] / step[:, 1]
    columns = np.ceil(np.clip(across - 0.5, 0, width)).astype(np.intp)
    crossings = np.bincount(rows * (width + 1) + columns, minlength=height * (width + 1)).reshape(height, width + 1)
    # counted in bytes, which overflow without changing what is odd
    return (np.cumsum(crossings[:, :width], 1, np.uint8) & 1).astype(bool)


def run_lengths(pixels: Pixels) -> RunLengths:
    """Return pixels, bool [height, width], as run lengths."""
    flat = pixels.T.ravel()
    if not len(flat):
        return RunLengths((pixels.shape[0], pixels.shape[1]), ())
    ends = [0] if flat[0] else []
    ends = [*ends, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), len(flat)]
    return RunLengths((pixels.shape[0], pixels.shape[1]), tuple(np.diff(ends, prepend=0).tolist()))


def pixels_of_runs(mask: RunLengths) -> Pixels:
    """Return the pixels of a mask: bool [height, width]; ValueError where its runs are not as many pixels."""
    counts = _checked_counts(mask)
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(mask.size[::-1]).T


def box_of_runs(mask: RunLengths) -> Box | None:
    """Return the box around the pixels of a mask, as shares; None where it has none; ValueError as above."""
    counts = _checked_counts(mask)
    height, width = mask.size
    ends = np.cumsum(counts)
    starts, ends = (ends - counts)[1::2], ends[1::2]
    starts, ends = starts[starts < ends], ends[starts < ends] - 1
    if not len(starts):
        return None
    one_column = bool((starts // height == ends // height).all())  # each run, or else one has whole columns' ends
    top, bottom = (int((starts % height).min()), int((ends % height).max()) + 1) if one_column else (0, height)
    left, right = int(starts[0]) // height, int(ends[-1]) // height + 1
    return left / width, top / height, right / width, bottom / height


def _checked_counts(mask: RunLengths) -> NDArray[np.int64]:
    counts = np.asarray(mask.counts, np.int64)
    pixels = mask.size[0] * mask.size[1]
    if (counts < 0).any() or counts.sum() != pixels:
        raise ValueError(f"the runs of a mask are {counts.sum()} pixels; expected {pixels}, which {mask.size} has")
    return counts


def traced(pixels: Pixels) -> tuple[Outline, ...]:
    """Return polygons, one a connected part, that have the pixels of a mask inside, bool [height, width].

    A part with holes is one polygon that goes to each hole, around it and back.
    """
    height, width = pixels.shape
    parts, _ = ndimage.label(pixels)
    outlines = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), 1):
        part = np.pad(parts[rows, columns] == number, 1).astype(np.uint8)
        # the middles of pixels are whole numbers here; one is the margin
        contours = [_simplified(contour) for contour in find_contours(part, 0.5)]
        contours.sort(key=lambda contour: -float(np.ptp(contour[:, 0]) * np.ptp(contour[:, 1])))
        outline = contours[0]
        for hole in contours[1:]:
            outline = _joined(outline, hole)
        corner = (rows.start - 0.5, columns.start - 0.5)
        outlines.append(tuple(((outline + corner)[:, ::-1] / (width, height)).ravel().tolist()))
    return tuple(outlines)


def _simplified(contour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a closed contour, float64 [n, 2], with fewer points and without the last one, which is the first."""
    fewer = approximated(contour, _TOLERANCE)[:-1]
    return fewer if len(fewer) >= _FEWEST_POINTS else contour[:-1]


def _joined(outline: NDArray[np.float64], hole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an outline that goes to a hole where that is nearest, around it and back on the same way."""
    distances, nearest = KDTree(hole).query(outline)
    at = int(np.argmin(distances))
    to = int(nearest[at])
    around = np.concatenate([hole[to:], hole[: to + 1]])
    return np.concatenate([outline[: at + 1], around, outline[at:]])


def outlines_of(each: LabelledObject) -> tuple[Outline, ...]:
    """Return the polygons of an object, from its mask where it has no others, from its box where it has neither.

    ValueError where its mask is broken.
    """
    if each.polygons:
        return each.polygons
    if each.mask is not None:
        return traced(pixels_of_runs(each.mask))
    left, top, right, bottom = each.box
    return ((left, top, right, top, right, bottom, left, bottom),)


def pixels_of(each: LabelledObject, size: tuple[int, int]) -> Pixels:
    """Return the pixels of an object in an image of `size` (height, width): bool [height, width].

    From its mask where that has this size, else from its polygons, else from its box. ValueError as above.
    """
    if each.mask is not None and each.mask.size == size:
        return pixels_of_runs(each.mask)
    return rasterised(outlines_of(each), size)


def joined_outlines(outlines: Sequence[Outline]) -> Outline:
    """Return one polygon that goes around each of some polygons, from one to the next where they are nearest."""
    first, *others = (np.asarray(outline, np.float64).reshape(-1, 2) for outline in outlines)
    for other in others:
        first = _joined(first, other)
    return outlines[0] if not others else tuple(first.ravel().tolist())


def signed_area(outline: Sequence[float]) -> float:
    """Return the area of a closed polygon in its own units, negative where it goes the other way round."""
    xs, ys = outline[0::2], outline[1::2]
    return sum(xs[at - 1] * ys[at] - xs[at] * ys[at - 1] for at in range(len(xs))) / 2
