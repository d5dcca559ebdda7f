"""Boxes: outside the image, empty, with their corners swapped, or twice around the same object."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data.checks.object_faults import ObjectFaults
from data.outlines import pixels_of_runs, rasterised
from data.record import Box, LabelledObject, Outline

_NOTHING = 1e-6  # of a side, which the rounding of a conversion may be
_CLIPPED = 0.02  # of a side
_TWIN_IOU = 0.95
_GRID = (64, 64)  # on which the outlines of twins are compared


def checked_box(each: LabelledObject, faults: ObjectFaults, *, order_corners: bool) -> LabelledObject | None:
    """Return an object whose box is within the image; None where it is dropped."""
    left, top, right, bottom = each.box
    if left > right or top > bottom:
        if not order_corners:
            faults.dropped(
                "box_swapped",
                f"its corners {_text(each.box)} are swapped. Write the left one and the top one first, or use "
                "--order-corners",
            )
            return None
        faults.mended("box_swapped", f"its corners {_text(each.box)} are swapped", "corners put in order")
        left, top, right, bottom = min(left, right), min(top, bottom), max(left, right), max(top, bottom)
    if left == right or top == bottom:
        faults.dropped("box_empty", f"its box {_text(each.box)} is empty")
        return None
    clipped = min(max(left, 0.0), 1.0), min(max(top, 0.0), 1.0), min(max(right, 0.0), 1.0), min(max(bottom, 0.0), 1.0)
    beyond = max(-left, -top, right - 1, bottom - 1)
    if beyond > _NOTHING:
        if beyond > _CLIPPED or clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            pixels = " It seems to be in pixels; shares of the image, from 0 to 1, are expected." if beyond > 1 else ""
            faults.dropped("box_outside", f"its box {_text(each.box)} is outside the image.{pixels}")
            return None
        faults.mended("box_outside", f"its box {_text(each.box)} ends outside the image", "box clipped")
    return each if clipped == each.box else replace(each, box=clipped)


def without_twins(objects: Sequence[LabelledObject]) -> tuple[list[LabelledObject], list[tuple[int, int]]]:
    """Return the objects without those of the same label and nearly the same place as one before.

    Also the places, from 0, of each that is left out and of the one before.
    """
    # An IoU above 0.95 leaves so little between the left sides that few need to be compared
    order = sorted(range(len(objects)), key=lambda place: objects[place].box[0])
    twins: dict[int, int] = {}
    for at, first in enumerate(order):
        if first in twins:
            continue
        left, _, right, _ = objects[first].box
        for second in order[at + 1 :]:
            if objects[second].box[0] > left + (1 - _TWIN_IOU) * (right - left):
                break
            if second not in twins and _are_twins(objects[first], objects[second]):
                twins[max(first, second)] = min(first, second)
                if first > second:
                    break
    return [each for place, each in enumerate(objects) if place not in twins], sorted(twins.items())


def _are_twins(one: LabelledObject, other: LabelledObject) -> bool:
    if one.label != other.label or one.crowd != other.crowd or iou(one.box, other.box) <= _TWIN_IOU:
        return False
    if one.mask is not None and other.mask is not None:
        return one.mask.size == other.mask.size and _overlap(pixels_of_runs(one.mask), pixels_of_runs(other.mask))
    if one.polygons and other.polygons and one.polygons != other.polygons:
        return _overlap(
            *(rasterised([_within(part, one.box) for part in each.polygons], _GRID) for each in (one, other))
        )
    return True


def _within(part: Outline, box: Box) -> Outline:
    left, top, right, bottom = box
    points = (np.reshape(part, (-1, 2)) - (left, top)) / (right - left, bottom - top)
    return tuple(points.ravel().tolist())


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one & other).sum() > _TWIN_IOU * (one | other).sum())


def iou(one: Box, other: Box) -> float:
    """Return what two boxes share, as a part of what they cover together: 0 to 1."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)


def _text(box: Box) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in box) + ")"
