"""The regions of an annotation in Label Studio as labelled objects: rectangles, polygons and brushes."""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from data.dataset_builder import is_label
from data.encodings.brush_runs import pixels_of_brush
from data.encodings.numbers import all_finite, finite, pixel_size
from data.format import Size
from data.outlines import box_of_runs, hull, run_lengths
from data.record import Box, LabelledObject, Outline
from models.labels import Label
from settings.excerpt import excerpt

_HUNDRED = 100
_KINDS = {"rectanglelabels": "rectangle", "polygonlabels": "polygon", "brushlabels": "brush"}
_PART, _CROWD = "part_of", "crowd"  # what we write into the `meta` of regions


class RegionError(Exception):
    """A region cannot be used. `fault` is the code of a Fault, the text its detail."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


@dataclass(slots=True)
class ReadRegions:
    """What the result of an annotation has: choices for the whole image, objects, and how many boxes were turned.

    `given` counts regions that are objects, usable or not; `faults` are those that are not. `size` (width, height) is
    what the first region says of the image as it was shown.
    """

    choices: list[Label] = field(default_factory=list)
    objects: list[LabelledObject] = field(default_factory=list)
    given: int = 0
    turned: int = 0
    size: Size | None = None
    has_choices: bool = False
    faults: list[RegionError] = field(default_factory=list)


def read_regions(result: list[Any], find_size: Callable[[], Size | None]) -> ReadRegions:
    """Read the result of an annotation. `find_size` gives (width, height) to regions that need it and do not tell."""
    read = ReadRegions()
    parts: dict[str, list[int]] = defaultdict(list)
    for place, entry in enumerate(result, 1):
        if not isinstance(entry, dict) or not isinstance(value := entry.get("value"), dict):
            read.given += 1
            read.faults.append(RegionError("label_form", f"Region {place} is {excerpt(entry)}"))
            continue
        kind = entry.get("type")
        size = pixel_size(entry.get("original_width"), entry.get("original_height"))
        read.size = read.size or size
        if kind == "choices":
            read.has_choices = True
            choices = value.get("choices")
            read.choices += filter(is_label, choices if isinstance(choices, list) else [])
            continue
        read.given += 1
        try:
            each = _object(entry, value, kind, size or find_size() if _needs_size(value) else None)
        except RegionError as error:
            read.faults.append(RegionError(error.fault, f"Region {place}: {error}"))
            continue
        read.turned += bool(finite(value.get("rotation")))
        meta = entry.get("meta")
        if isinstance(meta, dict) and isinstance(whole := meta.get(_PART), str):
            parts[whole].append(len(read.objects))
        read.objects.append(each)
    _join(read, parts)
    return read


def _join(read: ReadRegions, parts: dict[str, list[int]]) -> None:
    """Make one object of the regions that are parts of one."""
    joined = set()
    for places in parts.values():
        first, *others = (read.objects[place] for place in places)
        polygons = sum((each.polygons for each in others), first.polygons)
        if others and polygons:
            read.objects[places[0]] = LabelledObject(first.label, hull(polygons), polygons, None, first.crowd)
            joined |= set(places[1:])
    read.objects = [each for place, each in enumerate(read.objects) if place not in joined]
    read.given -= len(joined)


def _object(entry: dict[str, Any], value: dict[str, Any], kind: Any, size: Size | None) -> LabelledObject:
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RegionError("label_form", f"it is of the type {excerpt(kind)}; expected one of {', '.join(_KINDS)}")
    labels = value.get(kind)
    if not isinstance(labels, list) or len(labels) != 1 or not is_label(labels[0]):
        raise RegionError("label_form", f"its labels are {excerpt(labels)}; expected one")
    meta = entry.get("meta")
    crowd = isinstance(meta, dict) and meta.get(_CROWD) is True
    if kind == "rectanglelabels":
        return LabelledObject(labels[0], _rectangle(value, size), crowd=crowd)
    if kind == "polygonlabels":
        outline = _polygon(value)
        return LabelledObject(labels[0], hull([outline]), (outline,), crowd=crowd)
    return _brush(labels[0], value, size, crowd)


def _needs_size(value: dict[str, Any]) -> bool:
    """Return whether a region cannot be read without the size of its image: what is turned, and what has pixels."""
    return bool(value.get("rotation")) or "rle" in value


def _rectangle(value: dict[str, Any], size: Size | None) -> Box:
    given = [value.get(name) for name in ("x", "y", "width", "height", "rotation")]
    numbers = all_finite([*given[:4], given[4] or 0])
    if numbers is None:
        raise RegionError("box_not_number", f"its x, y, width, height and rotation are {excerpt(given)}")
    x, y, width, height, rotation = numbers
    if not rotation:
        return x / _HUNDRED, y / _HUNDRED, (x + width) / _HUNDRED, (y + height) / _HUNDRED
    if size is None:
        raise RegionError("box_not_number", "it is turned, and nothing tells the size of the image")
    # turned clockwise about its first corner, in pixels; the other corners go right, down, or both
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    right = (width * cos, width * sin * size[0] / size[1])
    down = (-height * sin * size[1] / size[0], height * cos)
    corners = [(x + a * right[0] + b * down[0], y + a * right[1] + b * down[1]) for a in (0, 1) for b in (0, 1)]
    return hull([tuple(number / _HUNDRED for corner in corners for number in corner)])


def _polygon(value: dict[str, Any]) -> Outline:
    points = value.get("points")
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise RegionError("polygon_odd", f"its points are {excerpt(points)}; expected pairs of x and y")
    numbers = all_finite(number for point in points for number in point)
    if numbers is None:
        raise RegionError("box_not_number", f"its points {excerpt(points)} are not all numbers")
    if not numbers:
        raise RegionError("polygon_short", "it has no points")
    return tuple(number / _HUNDRED for number in numbers)


def _brush(label: Label, value: dict[str, Any], size: Size | None, crowd: bool) -> LabelledObject:
    data = value.get("rle")
    if size is None or not isinstance(data, list):
        raise RegionError("polygon_odd", "its brush has no 'rle', or nothing tells the size of the image")
    try:
        mask = run_lengths(pixels_of_brush(bytes(data), (size[1], size[0])))
    except (ValueError, TypeError) as error:
        raise RegionError("polygon_odd", str(error)) from None
    box = box_of_runs(mask)
    if box is None:
        raise RegionError("polygon_short", "its brush covers no pixel")
    return LabelledObject(label, box, (), mask, crowd)
