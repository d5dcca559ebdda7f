"""Ground truth over an image: masks, outlines, boxes and labels in the colours of the labels, faults in red."""

import math
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from data.drawing.colours import FAULT, Colour, ink_on, label_colour
from data.outlines import pixels_of_runs, rasterised
from data.record import Box, LabelledObject
from models.images.lettering import shortened, typeface
from models.labels import named

Rectangle = tuple[int, int, int, int]

_TINT, _CASING = 96, 110  # of 255
_FONT = 11  # pixels, as are the next ones
_PADDING = 2
_DASH = 5
_FINEST_MASK, _LARGEST_MASK = 4, 4096  # times as fine as the image, so that outlines are smooth; pixels


def draw_objects(
    image: Image.Image,
    objects: Sequence[LabelledObject],
    *,
    faulty: Sequence[LabelledObject] = (),
    scores: Sequence[float] = (),
    unit: int = 1,
    named_objects: bool = True,
) -> Image.Image:
    """Return a copy of an image, mode RGB, with objects drawn over it.

    Crowds have a dashed box. `faulty` objects are drawn as dashed boxes in red. `scores`, where there are any, one for
    each of `objects`, are written behind their labels. Lines are 2 `unit` pixels wide, 1
    where there is a mask, and letters 11 `unit` high. A label that would cover another one is left out: the colour
    of its box tells which it is.
    """
    drawn = image.copy()
    texts = [f"{named(each.label)} {score:.2f}" for each, score in zip(objects, scores, strict=False)]
    texts += [named(each.label) for each in (*objects[len(texts) :], *faulty)]
    colours = [label_colour(each.label) for each in objects] + [FAULT] * len(faulty)
    found = list(zip((*objects, *faulty), colours, texts, strict=True))
    for each, colour, _ in found[: len(objects)]:
        _tint(drawn, each, colour, unit)
    # Small objects last, so that none is hidden, and faulty ones after them
    ordered = sorted(found, key=lambda one: (one[1] is FAULT, -_area(one[0].box)))
    for each, colour, _ in ordered:
        width = unit if colour is not FAULT and (each.polygons or each.mask) else 2 * unit
        _frame(drawn, each.box, colour, width, dashed=each.crowd or colour is FAULT)
    if named_objects:
        taken: list[Rectangle] = []
        for each, colour, text in reversed(ordered):
            _tag(drawn, each.box, text, colour, unit=unit, taken=taken)
    return drawn


def rectangle(box: Box, size: tuple[int, int]) -> Rectangle | None:
    """Return the first and last column and row of a box in an image of `size`: left, top, right, bottom, inclusive.

    Swapped corners are put in order, and what lies outside moves to the edge. None where a corner is no number.
    """
    if any(math.isnan(edge) for edge in box):
        return None
    width, height = size
    left, right = sorted(min(max(edge, 0.0), 1.0) * width for edge in box[::2])
    top, bottom = sorted(min(max(edge, 0.0), 1.0) * height for edge in box[1::2])
    first = min(round(left), width - 1), min(round(top), height - 1)
    return (*first, max(first[0], round(right) - 1), max(first[1], round(bottom) - 1))


def covered(one: LabelledObject, size: tuple[int, int]) -> Image.Image | None:
    """Return how much of each pixel of an image of `size` an object covers, mode L; None where it has only a box."""
    if one.mask is not None:
        try:
            return Image.fromarray(pixels_of_runs(one.mask)).convert("L").resize(size, Image.Resampling.BOX)
        except ValueError:  # its runs are not as many pixels, which is a fault
            return None
    outlines = [
        each for each in one.polygons if len(each) >= 6 and len(each) % 2 == 0 and all(map(math.isfinite, each))
    ]
    if not outlines:
        return None
    finer = max(1, min(_FINEST_MASK, _LARGEST_MASK // max(size)))
    pixels = rasterised(outlines, (size[1] * finer, size[0] * finer))
    return Image.fromarray(pixels).convert("L").reduce(finer)


def _tint(drawn: Image.Image, one: LabelledObject, colour: Colour, unit: int) -> None:
    inside = covered(one, drawn.size)
    if inside is None:
        return
    drawn.paste(colour, mask=inside.point(lambda level: level * _TINT // 255))
    # The margin makes the edge of the image an edge of the object too
    padded = Image.new("L", (drawn.width + 2 * unit, drawn.height + 2 * unit))
    padded.paste(inside, (unit, unit))
    core = padded.filter(ImageFilter.MinFilter(2 * unit + 1)).crop(
        (unit, unit, unit + drawn.width, unit + drawn.height)
    )
    drawn.paste(colour, mask=ImageChops.subtract(inside, core))


def _frame(drawn: Image.Image, box: Box, colour: Colour, width: int, *, dashed: bool) -> None:
    place = rectangle(box, drawn.size)
    if place is None:
        return
    pen = ImageDraw.Draw(drawn, "RGBA")
    left, top, right, bottom = place
    # A faint line around it, so that it is seen on its own colour
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=(*ink_on(colour), _CASING))
    if not dashed:
        pen.rectangle(place, outline=colour, width=width)
        return
    pen.rectangle(place, outline=ink_on(colour), width=width)
    last = width - 1
    for first, end in pairwise(range(left, right + 2 * _DASH * width, _DASH * width)):
        if (first - left) // (_DASH * width) % 2 == 0 and first <= right:
            pen.rectangle((first, top, min(end - 1, right), min(top + last, bottom)), fill=colour)
            pen.rectangle((first, max(bottom - last, top), min(end - 1, right), bottom), fill=colour)
    for first, end in pairwise(range(top, bottom + 2 * _DASH * width, _DASH * width)):
        if (first - top) // (_DASH * width) % 2 == 0 and first <= bottom:
            pen.rectangle((left, first, min(left + last, right), min(end - 1, bottom)), fill=colour)
            pen.rectangle((max(right - last, left), first, right, min(end - 1, bottom)), fill=colour)


def _tag(drawn: Image.Image, box: Box, text: str, colour: Colour, *, unit: int, taken: list[Rectangle]) -> None:
    place = rectangle(box, drawn.size)
    size = _FONT * unit
    tall = size + 2 * _PADDING * unit
    if place is None or drawn.height < tall:
        return
    left, top, right, bottom = place
    text = shortened(text, size, max(drawn.width - 2 * _PADDING * unit, size))
    wide = math.ceil(typeface(size, text).getlength(text)) + 2 * _PADDING * unit
    near = max(0, min(left, drawn.width - wide))
    far = max(0, min(right + 1 - wide, drawn.width - wide))
    # Above the box where there is room, else below, else inside it
    for x, y in ((near, top - tall), (far, top - tall), (near, bottom + 1), (far, bottom + 1), (near, top), (far, top)):
        tag = (x, y, x + wide, y + tall)
        if y < 0 or y + tall > drawn.height or any(_overlap(tag, other) for other in taken):
            continue
        taken.append(tag)
        pen = ImageDraw.Draw(drawn)
        pen.rectangle((x, y, x + wide - 1, y + tall - 1), fill=colour)
        middle = (x + _PADDING * unit, y + tall / 2)
        pen.text(middle, text, fill=ink_on(colour), font=typeface(size, text), anchor="lm")
        return


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _area(box: Box) -> float:
    area = abs(box[2] - box[0]) * abs(box[3] - box[1])
    return area if math.isfinite(area) else 0.0
