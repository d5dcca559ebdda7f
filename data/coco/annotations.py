"""The annotations of a COCO document as labelled objects."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from data.encodings.coco_counts import counts_of_text
from data.encodings.numbers import all_finite
from data.format import Size
from data.outlines import box_of_runs, hull
from data.record import Box, LabelledObject, Outline, RunLengths
from models.labels import Label
from settings.excerpt import excerpt


class AnnotationError(Exception):
    """An annotation cannot be used. `fault` is the code of a Fault, the text its detail."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class CocoUnits:
    """Whether the boxes and the polygons of a document are shares of the image already, instead of pixels.

    None where it has no boxes, or no polygons.
    """

    boxes_are_shares: bool | None
    polygons_are_shares: bool | None

    @property
    def pixels(self) -> bool:
        """Whether sizes of images are needed."""
        return False in (self.boxes_are_shares, self.polygons_are_shares)


def units_of(annotations: Iterable[Any]) -> CocoUnits:
    """Return the units of a document. They are shares where no number is above 1: pixels would all be in one corner."""
    return CocoUnits(
        _all_are_shares(entry.get("bbox") for entry in annotations),
        _all_are_shares(
            part
            for entry in annotations
            if isinstance(parts := entry.get("segmentation"), list)
            for part in (parts if parts and isinstance(parts[0], list) else [parts])
        ),
    )


def _all_are_shares(lists: Iterable[Any]) -> bool | None:
    some = None
    for numbers in lists:
        if isinstance(numbers, list) and (finite := all_finite(numbers)):
            if max(finite) > 1:
                return False
            some = True
    return some


def read_annotation(entry: dict[str, Any], label: Label, size: Size | None, units: CocoUnits) -> LabelledObject:
    """Return the object that an annotation describes, in an image of `size` (width, height).

    AnnotationError where numbers are none, its mask is broken, or it has neither a box nor a mask.
    """
    polygons, mask = _shape(entry.get("segmentation"), size, units)
    crowd = entry.get("iscrowd") in (1, "1")
    given = entry.get("bbox")
    if given is not None and given != []:
        return LabelledObject(label, _box(given, size, units), polygons, mask, crowd)
    if polygons:
        return LabelledObject(label, hull(polygons), polygons, None, crowd)
    if mask is None:
        raise AnnotationError("label_form", "it has neither 'bbox' nor 'segmentation'")
    box = box_of_runs(mask)
    if box is None:
        raise AnnotationError("polygon_short", "it has no 'bbox', and its mask has no pixels")
    return LabelledObject(label, box, (), mask, crowd)


def _box(given: Any, size: Size | None, units: CocoUnits) -> Box:
    numbers = all_finite(given) if isinstance(given, list) and len(given) == 4 else None
    if numbers is None:
        raise AnnotationError("box_not_number", f"its 'bbox' is {excerpt(given)}; expected x, y, width and height")
    width, height = _scale(size, units.boxes_are_shares)
    x, y, wide, high = numbers
    return x / width, y / height, (x + wide) / width, (y + high) / height


def _shape(given: Any, size: Size | None, units: CocoUnits) -> tuple[tuple[Outline, ...], RunLengths | None]:
    if given is None or given == []:
        return (), None
    if isinstance(given, dict):
        return (), _mask(given, size)
    if not isinstance(given, list):
        raise AnnotationError("polygon_odd", f"its 'segmentation' is {excerpt(given)}; expected lists, or run lengths")
    width, height = _scale(size, units.polygons_are_shares)
    outlines = []
    for part in given if isinstance(given[0], list) else [given]:
        numbers = all_finite(part) if isinstance(part, list) else None
        if numbers is None:
            raise AnnotationError("box_not_number", f"its polygon {excerpt(part)} is no list of numbers")
        if len(numbers) % 2:
            raise AnnotationError("polygon_odd", f"a part of its polygon has {len(numbers)} numbers; expected pairs")
        if numbers:
            scales = (width, height) * (len(numbers) // 2)
            outlines.append(tuple(value / scale for value, scale in zip(numbers, scales, strict=True)))
    return tuple(outlines), None


def _mask(given: dict[str, Any], size: Size | None) -> RunLengths:
    sides, counts = given.get("size"), given.get("counts")
    whole = isinstance(sides, list) and len(sides) == 2 and all(type(side) is int and side > 0 for side in sides)
    if not isinstance(sides, list) or not whole:
        raise AnnotationError("polygon_odd", f"the size of its mask is {excerpt(sides)}; expected height and width")
    if size is not None and (sides[1], sides[0]) != size:
        raise AnnotationError(
            "polygon_odd", f"its mask has {sides[1]}x{sides[0]} pixels, where the image has {size[0]}x{size[1]}"
        )
    try:
        runs = counts_of_text(counts) if isinstance(counts, str) else _whole(counts)
    except ValueError as error:
        raise AnnotationError("polygon_odd", str(error)) from None
    if any(run < 0 for run in runs) or sum(runs) != sides[0] * sides[1]:
        raise AnnotationError(
            "polygon_odd", f"the runs of its mask are {sum(runs)} pixels; expected {sides[0] * sides[1]}"
        )
    return RunLengths((sides[0], sides[1]), runs)


def _whole(counts: Any) -> tuple[int, ...]:
    if not isinstance(counts, list) or not all(type(count) is int for count in counts):
        raise ValueError(f"the runs of its mask are {excerpt(counts)}; expected whole numbers, or a text")
    return tuple(counts)


def _scale(size: Size | None, shares: bool | None) -> tuple[float, float]:
    assert size is not None or shares is not False
    return (1, 1) if size is None or shares else size
