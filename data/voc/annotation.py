"""The XML file of one image in Pascal VOC: read with faults, and written with corners as exact as they are."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from data.encodings.numbers import all_finite, finite, pixel_size
from data.format import Size
from data.outlines import outlines_of
from data.record import Box, LabelledObject, Outline
from models.labels import Label, named
from settings.excerpt import excerpt

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MOST_BYTES = 2**24
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_IMAGE = """<?xml version="1.0" encoding="utf-8"?>
<annotation>
  <folder>JPEGImages</folder>
  <filename>{name}</filename>
  <size>
    <width>{width}</width>
    <height>{height}</height>
    <depth>3</depth>
  </size>
  <segmented>{segmented}</segmented>
"""
_OBJECT = """  <object>
    <name>{name}</name>
    <pose>Unspecified</pose>
    <truncated>0</truncated>
    <difficult>{difficult}</difficult>
    <bndbox>
      <xmin>{xmin!r}</xmin>
      <ymin>{ymin!r}</ymin>
      <xmax>{xmax!r}</xmax>
      <ymax>{ymax!r}</ymax>
    </bndbox>
{polygons}  </object>
"""


class XmlError(Exception):
    """A file is no annotation. The text says why."""


def read_xml(file: Path) -> ElementTree.Element:
    """Return the root of an annotation; XmlError where a file is none."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise XmlError(f"The file has more than {_MOST_BYTES} bytes.")
        root = ElementTree.fromstring(file.read_bytes())
    except OSError as error:
        raise XmlError(f"The file cannot be read: {error.strerror}.") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise XmlError(f"The file is not valid XML: {error}.") from None
    if root.tag != "annotation":
        raise XmlError(f"The file holds <{root.tag[:50]}>; expected <annotation>.")
    return root


def text_of(element: ElementTree.Element, path: str) -> str:
    """Return the text of an element below another one, without blanks around it; empty where it is not there."""
    return (element.findtext(path) or "").strip()


def size_of(root: ElementTree.Element) -> Size | None:
    """Return the (width, height) that an annotation tells; None where it does not."""
    return pixel_size(text_of(root, "size/width"), text_of(root, "size/height"))


def box_of(element: ElementTree.Element, size: Size, origin: int) -> Box:
    """Return the box of an object, whose corners are in pixels: the first is number `origin`.

    From 1 they are counted as the format was meant, up to the last pixel inside; from 0 they are places between pixels.
    ValueError, with what there is instead, where they are no numbers.
    """
    given = [text_of(element, f"bndbox/{corner}") for corner in _CORNERS]
    numbers = all_finite(given)
    if numbers is None:
        raise ValueError(f"its corners are {excerpt(given)}; expected four numbers")
    left, top, right, bottom = numbers
    return (left - origin) / size[0], (top - origin) / size[1], right / size[0], bottom / size[1]


def polygons_of(element: ElementTree.Element, size: Size, origin: int) -> tuple[Outline, ...]:
    """Return the polygons of an object, which some programs write: elements x1, y1, x2, y2 and so on, in pixels.

    ValueError where they are not pairs of numbers.
    """
    polygons = []
    for polygon in element.iterfind("polygon"):
        values = {child.tag: (child.text or "").strip() for child in polygon}
        names = [f"{axis}{number}" for number in range(1, len(values) // 2 + 1) for axis in "xy"]
        numbers = all_finite(values.get(name) for name in names)
        if not numbers or len(values) != len(names):
            raise ValueError(f"its polygon is {excerpt(values)}; expected x1, y1, x2, y2 and so on")
        sides = size * (len(numbers) // 2)
        polygons.append(tuple((value - origin) / side for value, side in zip(numbers, sides, strict=True)))
    return tuple(polygons)


def is_difficult(element: ElementTree.Element) -> bool:
    """Return whether an object is marked as difficult, which the hosted service reads as a crowd."""
    return finite(text_of(element, "difficult")) == 1


def can_be_written(label: Label) -> bool:
    """Return whether a label is made of characters that XML has."""
    return not _NO_XML.search(named(label))


def annotation(name: str, size: Size, objects: Sequence[LabelledObject], origin: int, *, outlined: bool) -> bytes:
    """Return the XML of an image with a `name` and a `size` (width, height); corners are not rounded.

    Objects that are `outlined` have their polygons too.
    """
    return (
        _IMAGE.format(name=escape(name), width=size[0], height=size[1], segmented=int(outlined))
        + "".join(_object(each, size, origin, outlines_of(each) if outlined else ()) for each in objects)
        + "</annotation>\n"
    ).encode()


def _object(each: LabelledObject, size: Size, origin: int, outlines: Sequence[Outline]) -> str:
    left, top, right, bottom = each.box
    return _OBJECT.format(
        name=escape(named(each.label)),
        difficult=int(each.crowd),
        xmin=left * size[0] + origin,
        ymin=top * size[1] + origin,
        xmax=right * size[0],
        ymax=bottom * size[1],
        polygons="".join(_polygon(outline, size, origin) for outline in outlines),
    )


def _polygon(outline: Outline, size: Size, origin: int) -> str:
    points = []
    for number, at in enumerate(range(0, len(outline) - 1, 2), 1):
        x, y = outline[at] * size[0] + origin, outline[at + 1] * size[1] + origin
        points.append(f"<x{number}>{x}</x{number}><y{number}>{y}</y{number}>")
    return f"    <polygon>{''.join(points)}</polygon>\n"
