"""Polygons and masks: of too few points, outside the image, flat, crossing themselves, or without a pixel."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from data.checks.object_faults import ObjectFaults
from data.outlines import box_of_runs, hull
from data.record import LabelledObject, Outline

Points = NDArray[np.float64]

_FEWEST_NUMBERS = 6  # of three points
_NOTHING = 1e-6  # of a side, which the rounding of a conversion may be
_MOST_POINTS = 4000  # of a polygon whose edges are compared with each other
_EDGES_AT_ONCE = 256


def checked_outlines(each: LabelledObject, size: tuple[int, int] | None, faults: ObjectFaults) -> LabelledObject | None:
    """Return an object whose polygons or mask are within the image; None where it is dropped.

    `size` is the (width, height) of the image in pixels; without it, nothing is said about areas.
    """
    if each.mask is not None:
        return _checked_mask(each, size, faults)
    found = [_checked_part(part, size) for part in each.polygons]
    kept = tuple(part for part, _ in found if part is not None)
    for part, troubles in found:
        for fault, detail, done in troubles:
            if part is not None:
                faults.mended(fault, detail, done)
            elif kept:
                faults.mended(fault, detail, "part dropped")
            else:
                faults.dropped(fault, detail)
    if not kept:
        return None
    return each if kept == each.polygons else replace(each, polygons=kept, box=hull(kept))


def _checked_part(part: Outline, size: tuple[int, int] | None) -> tuple[Outline | None, list[tuple[str, str, str]]]:
    """Return a polygon within the image, or None, with what is wrong with it: (fault, detail, what is done)."""
    if len(part) < _FEWEST_NUMBERS:
        return None, [("polygon_short", f"a part has {len(part) // 2} points; expected at least 3", "")]
    points = np.asarray(part, np.float64).reshape(-1, 2)
    troubles = []
    crosses = _crosses_itself(points)
    if crosses:
        troubles.append(("polygon_crossing", "its outline crosses itself", "reported"))
    if points.min() < 0 or points.max() > 1:
        if max(-points.min(), points.max() - 1) > _NOTHING:
            detail = f"a part reaches from {points.min():.6g} to {points.max():.6g}; expected shares from 0 to 1"
            troubles.append(("polygon_outside", detail, "polygon clipped"))
        points = _clipped(points)
        if len(points) < 3 or _area(points) == 0:
            return None, troubles[-1:]
        part = tuple(points.ravel().tolist())
    if size is not None and not crosses and (area := _area(points) * size[0] * size[1]) < 1:
        return None, [*troubles, ("polygon_flat", f"a part covers {area:.2g} pixels; expected at least 1", "")]
    return part, troubles


def _checked_mask(each: LabelledObject, size: tuple[int, int] | None, faults: ObjectFaults) -> LabelledObject | None:
    assert each.mask is not None
    try:
        box = box_of_runs(each.mask)
    except ValueError as error:
        faults.dropped("label_form", str(error))
        return None
    if box is None:
        faults.dropped("polygon_flat", "its mask has no pixel")
        return None
    height, width = each.mask.size
    if size is not None and size != (width, height):
        faults.dropped("size_differs", f"its mask is {width}x{height} pixels, and the image {size[0]}x{size[1]}")
        return None
    return replace(each, box=box)


def _area(points: Points) -> float:
    """Return what a polygon that does not cross itself covers, in units of its points, [n, 2]."""
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _clipped(points: Points) -> Points:
    """Return the part of a polygon within [0, 1], by the method of Sutherland and Hodgman."""
    for axis, limit, sign in ((0, 0.0, 1), (0, 1.0, -1), (1, 0.0, 1), (1, 1.0, -1)):
        if not len(points):
            break
        following = np.roll(points, -1, 0)
        here, there = (sign * (ends[:, axis] - limit) for ends in (points, following))
        inside = here >= 0
        crossing = inside != (there >= 0)
        # an edge that crosses the limit ends there; one that begins inside keeps its beginning
        with np.errstate(divide="ignore", invalid="ignore"):
            met = points + (here / (here - there))[:, None] * (following - points)
        met[:, axis] = limit
        pairs, kept = np.stack([points, met], 1), np.stack([inside, crossing], 1)
        points = pairs[kept]
    return points.clip(0, 1)


def _crosses_itself(points: Points) -> bool:
    """Return whether two edges cross each other; those that only touch do not. Long outlines are not looked at."""
    count = len(points)
    if not 4 <= count <= _MOST_POINTS:
        return False
    start, end = points, np.roll(points, -1, 0)
    for first in range(0, count, _EDGES_AT_ONCE):
        rows = slice(first, first + _EDGES_AT_ONCE)
        a, b = start[rows, None], end[rows, None]
        c, d = start[None, first:], end[None, first:]
        one = _side(a, b, c) * _side(a, b, d) < 0
        other = _side(c, d, a) * _side(c, d, b) < 0
        if (one & other).any():
            return True
    return False


def _side(start: Points, end: Points, point: Points) -> NDArray[np.float64]:
    """Return on which side of a line points are: positive, negative, or 0 where that is within rounding."""
    along, to = end - start, point - start
    side: NDArray[np.float64] = along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
    return np.where(np.abs(side) > 1e-12, side, 0.0)
