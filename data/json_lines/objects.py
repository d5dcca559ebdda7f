"""The objects in a line of JSONL: boxes and polygons as shares of the image, and what is wrong with them."""

import math
from typing import Any

from data.dataset_builder import DatasetBuilder, is_label
from data.encodings.numbers import all_finite, finite
from data.outlines import hull
from data.record import Box, LabelledObject, Outline
from settings.excerpt import excerpt

_CORNERS = ("topX", "topY", "bottomX", "bottomY")
_CROWDS = (1, "1", "true", "True")  # True equals 1


class ObjectFormError(Exception):
    """An object is not of the form that all objects have: the line is not to be used. The text says why."""


def read_objects(entries: list[Any], number: int, url: str, builder: DatasetBuilder) -> tuple[LabelledObject, ...]:
    """Return the objects of a line; those with bad numbers become faults of `builder`.

    ObjectFormError where one has no label, or neither a box nor polygons.
    """
    objects = []
    for place, entry in enumerate(entries, 1):
        if type(entry) is not dict:
            raise ObjectFormError(f"Object {place} is {excerpt(entry)}; expected an object with a label and corners.")
        label = entry.get("label")
        if not is_label(label):
            raise ObjectFormError(
                f"The label of object {place} is {excerpt(label)}; expected a text or a whole number."
            )
        polygons: tuple[Outline, ...] = ()
        fault = None
        if (given := entry.get("polygon")) is not None:
            polygons, fault = _polygons(given)
        try:
            box = None if fault else _box(entry, polygons)
        except KeyError as error:
            raise ObjectFormError(
                f"Object {place} ({excerpt(label)}) has no {error}; expected {', '.join(_CORNERS)}, or 'polygon'."
            ) from None
        if box is not None:
            objects.append(LabelledObject(label, box, polygons, crowd=entry.get("isCrowd") in _CROWDS))
            continue
        code, detail = fault or ("box_not_number", f"its corners are {excerpt([entry[name] for name in _CORNERS])}")
        builder.fault(number, url, code, f"Object {place} ({excerpt(label)}): {detail}.", "object dropped")
    return tuple(objects)


def _box(entry: dict[str, Any], polygons: tuple[Outline, ...]) -> Box | None:
    """Return the box of an object, which is the hull of its polygons where it has no corners; None if no number."""
    if polygons and not all(name in entry for name in _CORNERS):
        return hull(polygons)
    left, top, right, bottom = entry["topX"], entry["topY"], entry["bottomX"], entry["bottomY"]
    if type(left) is type(top) is type(right) is type(bottom) is float and math.isfinite(left + top + right + bottom):
        return left, top, right, bottom
    numbers = all_finite((left, top, right, bottom))
    return None if numbers is None else (numbers[0], numbers[1], numbers[2], numbers[3])


def _polygons(given: Any) -> tuple[tuple[Outline, ...], tuple[str, str] | None]:
    """Return outlines, or a fault's code and detail. One outline that is not in a list of outlines is accepted."""
    if not isinstance(given, list) or not given:
        return (), ("polygon_short", f"its polygon is {excerpt(given)}; expected lists of x, y, x, y and so on")
    outlines = []
    for part in given if isinstance(given[0], list) else [given]:
        if not isinstance(part, list):
            return (), ("polygon_odd", f"a part of its polygon is {excerpt(part)}; expected a list of numbers")
        numbers = all_finite(part)
        if numbers is None:
            odd = next(value for value in part if finite(value) is None)
            return (), ("box_not_number", f"its polygon has {excerpt(odd)} among its numbers")
        if len(numbers) % 2:
            return (), ("polygon_odd", f"a part of its polygon has {len(numbers)} numbers; expected pairs of x and y")
        if numbers:
            outlines.append(numbers)
    if not outlines:
        return (), ("polygon_short", "its polygon has no points")
    return tuple(outlines), None
