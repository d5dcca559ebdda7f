"""Marks: the box and the outlines of an object, drawn over a panel."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

_INK, _EDGE = (255, 255, 255), (20, 20, 20)  # seen on any colour


@dataclass(frozen=True, slots=True)
class Mark:
    """An object: its box (left, top, right, bottom), and its outlines, each x, y, x, y and so on, as shares."""

    box: tuple[float, float, float, float]
    outlines: Sequence[Sequence[float]] = ()


def marked(panel: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """Return a panel of the whole image with marks on it; the panel itself where there are none."""
    if not marks:
        return panel
    drawn = panel.copy()
    pen, (width, height) = ImageDraw.Draw(drawn), drawn.size
    unit = max(1, round(max(drawn.size) / 360))
    for mark in marks:
        left, top, right, bottom = (share * side for share, side in zip(mark.box, (width, height) * 2, strict=True))
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        outlines = [
            [(x * width, y * height) for x, y in zip(each[::2], each[1::2], strict=True)] for each in mark.outlines
        ]
        for ink, line in ((_EDGE, 3 * unit), (_INK, unit)):
            for points in (corners, *outlines):
                pen.line([*points, *points[:2]], fill=ink, width=line, joint="curve")
    return drawn
