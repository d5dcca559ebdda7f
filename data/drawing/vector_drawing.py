"""VectorDrawing: lines, bars and text, described once and written as a PNG file and as SVG for a page.

SVG text is what a browser makes of it, in any script, and its colours follow the page into the dark.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from PIL import Image, ImageDraw, ImageOps

from data.drawing.colours import Colour, hexadecimal
from models.images.lettering import shortened, typeface, writable
from settings.excerpt import shortened as cut

Role = Literal["ink", "faint", "grid", "accent", "second", "surface", "fault"]
Paint = Role | Colour
Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

ROLES: dict[Role, Colour] = {
    "ink": (31, 35, 40),
    "faint": (89, 99, 110),
    "grid": (226, 230, 234),
    "accent": (40, 110, 200),
    "second": (214, 122, 20),
    "surface": (255, 255, 255),
    "fault": (214, 32, 48),
}
"""What colours are for, and what they are on white. A page defines each as a CSS variable of that name."""

SHARPNESS = 2
"""Pixels of a PNG file for each unit of a drawing."""

SPARE = 1.15
"""How much wider a browser's typeface may be than `text_width` says."""

MARGIN = 16
"""White around a drawing in a PNG file, in units."""

_MOST_LETTERS = 200
_FINER = 2  # times as fine again while lines are drawn, which Pillow does without smoothing
_ANCHORS = {"start": "l", "middle": "m", "end": "r"}


@dataclass(frozen=True, slots=True)
class _Line:
    points: tuple[Point, ...]
    paint: Paint
    width: float
    dash: float


@dataclass(frozen=True, slots=True)
class _Rectangle:
    left: float
    top: float
    width: float
    height: float
    paint: Paint
    opacity: float
    title: str


@dataclass(frozen=True, slots=True)
class _Dot:
    middle: Point
    radius: float
    paint: Paint
    title: str


@dataclass(frozen=True, slots=True)
class _Text:
    place: Point
    text: str
    page_text: str
    size: int
    anchor: Anchor
    paint: Paint
    bold: bool
    turned: bool


@dataclass(slots=True)
class VectorDrawing:
    """A drawing of `width` by `height` units, CSS pixels on a page. `title` says what it shows, for those who listen.

    Places are x, y from the top left corner. A `title` of a shape is shown where a mouse points at it.
    """

    width: float
    height: float
    title: str
    _shapes: list[_Line | _Rectangle | _Dot | _Text] = field(default_factory=list)

    def line(self, points: Sequence[Point], paint: Paint, *, width: float = 1, dash: float = 0) -> None:
        """Draw straight lines from point to point; `dash` is the length of dashes and of the gaps between them."""
        self._shapes.append(_Line(tuple(points), paint, width, dash))

    def rectangle(self, place: Point, size: Point, paint: Paint, *, opacity: float = 1.0, title: str = "") -> None:
        """Fill a rectangle from its top left corner."""
        self._shapes.append(_Rectangle(*place, *size, paint, opacity, title))

    def dot(self, middle: Point, radius: float, paint: Paint, *, title: str = "") -> None:
        """Fill a circle."""
        self._shapes.append(_Dot(middle, radius, paint, title))

    def text(
        self,
        place: Point,
        text: str,
        *,
        size: int = 12,
        anchor: Anchor = "start",
        paint: Paint = "ink",
        bold: bool = False,
        turned: bool = False,
        most: float = math.inf,
    ) -> None:
        """Write one line, no longer than `most` units; `place` is the middle of its height at its `anchor`.

        A `turned` text runs upwards.
        """
        text = cut(text, _MOST_LETTERS)
        fitting = shortened(text, size, max(round(most), size) if math.isfinite(most) else 100 * _MOST_LETTERS)
        # A page can write what the typeface of files cannot
        page_text = text if fitting == writable(text) else fitting
        self._shapes.append(_Text(place, fitting, page_text, size, anchor, paint, bold, turned))

    def png(self) -> Image.Image:
        """Return the drawing on white with a margin, mode RGB, of twice as many pixels as units."""
        scale = SHARPNESS * _FINER
        canvas = Image.new("RGB", (round(self.width * scale), round(self.height * scale)), ROLES["surface"])
        for shape in self._shapes:
            if not isinstance(shape, _Text):
                _paint(canvas, shape, scale)
        canvas = canvas.reduce(_FINER)
        for shape in self._shapes:
            if isinstance(shape, _Text):
                _write(canvas, shape)
        return ImageOps.expand(canvas, MARGIN * SHARPNESS, ROLES["surface"])

    def svg(self) -> str:
        """Return the drawing as an element for HTML."""
        width, height = _number(self.width), _number(self.height)
        inside = "".join(_element(shape) for shape in self._shapes)
        title = f"<title>{html.escape(self.title)}</title>"
        return f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}">{title}{inside}</svg>'


def text_width(text: str, size: int) -> float:
    """Return how wide a line of text is, in units."""
    written = writable(cut(text, _MOST_LETTERS))
    return float(typeface(size, written).getlength(written))


def _rgb(paint: Paint) -> Colour:
    return ROLES[paint] if isinstance(paint, str) else paint


def _paint(canvas: Image.Image, shape: _Line | _Rectangle | _Dot, scale: int) -> None:
    pen = ImageDraw.Draw(canvas, "RGBA")
    if isinstance(shape, _Rectangle):
        left, top = round(shape.left * scale), round(shape.top * scale)
        right, bottom = round((shape.left + shape.width) * scale), round((shape.top + shape.height) * scale)
        if right > left and bottom > top:
            fill = (*_rgb(shape.paint), round(255 * shape.opacity))
            pen.rectangle((left, top, right - 1, bottom - 1), fill=fill)
    elif isinstance(shape, _Dot):
        pen.circle((shape.middle[0] * scale, shape.middle[1] * scale), shape.radius * scale, fill=_rgb(shape.paint))
    else:
        width = max(1, round(shape.width * scale))
        for part in _dashes(shape.points, shape.dash):
            points = [(x * scale, y * scale) for x, y in part]
            pen.line(points, fill=_rgb(shape.paint), width=width, joint="curve")


def _dashes(points: Sequence[Point], dash: float) -> list[Sequence[Point]]:
    if not dash or len(points) < 2:
        return [points]
    parts: list[Sequence[Point]] = []
    for (x, y), (to_x, to_y) in pairwise(points):
        length = math.hypot(to_x - x, to_y - y)
        for index in range(0, math.ceil(length / dash), 2):
            start, end = index * dash / length, min((index + 1) * dash / length, 1.0)
            parts.append(
                [(x + start * (to_x - x), y + start * (to_y - y)), (x + end * (to_x - x), y + end * (to_y - y))]
            )
    return parts


def _write(canvas: Image.Image, shape: _Text) -> None:
    font = typeface(shape.size * SHARPNESS, shape.text)
    stroke = shape.size * SHARPNESS / 60 if shape.bold else 0
    x, y = (value * SHARPNESS for value in shape.place)
    ink = _rgb(shape.paint)
    if not shape.turned:
        place = (x, y)
        ImageDraw.Draw(canvas).text(
            place,
            shape.text,
            fill=ink,
            font=font,
            anchor=_ANCHORS[shape.anchor] + "m",
            stroke_width=stroke,
            stroke_fill=ink,
        )
        return
    length, tall = math.ceil(font.getlength(shape.text)) + 2, math.ceil(shape.size * SHARPNESS * 1.6)
    upright = Image.new("L", (length, tall))
    ImageDraw.Draw(upright).text((0, tall / 2), shape.text, fill=255, font=font, anchor="lm", stroke_width=stroke)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    up = {"start": length, "middle": length / 2, "end": 0}[shape.anchor]
    canvas.paste(ink, (round(x - tall / 2), round(y - up)), turned)


def _element(shape: _Line | _Rectangle | _Dot | _Text) -> str:
    if isinstance(shape, _Rectangle):
        opacity = f' fill-opacity="{shape.opacity:.3g}"' if shape.opacity < 1 else ""
        place = f'x="{_number(shape.left)}" y="{_number(shape.top)}"'
        size = f'width="{_number(shape.width)}" height="{_number(shape.height)}"'
        return _titled("rect", f"{place} {size} {_fill(shape.paint)}{opacity}", shape.title)
    if isinstance(shape, _Dot):
        place = f'cx="{_number(shape.middle[0])}" cy="{_number(shape.middle[1])}" r="{_number(shape.radius)}"'
        return _titled("circle", f"{place} {_fill(shape.paint)}", shape.title)
    if isinstance(shape, _Line):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
        dash = f' stroke-dasharray="{_number(shape.dash)}"' if shape.dash else ""
        stroke = f'style="stroke:{_css(shape.paint)}" stroke-width="{_number(shape.width)}"'
        return f'<polyline points="{points}" fill="none" stroke-linejoin="round" {stroke}{dash}/>'
    x, y = (_number(value) for value in shape.place)
    weight = ' font-weight="600"' if shape.bold else ""
    turned = f' transform="rotate(-90 {x} {y})"' if shape.turned else ""
    style = f'font-size="{shape.size}" text-anchor="{shape.anchor}" dominant-baseline="central"{weight}{turned}'
    return f'<text x="{x}" y="{y}" {style} {_fill(shape.paint)}>{html.escape(shape.page_text)}</text>'


def _titled(name: str, attributes: str, title: str) -> str:
    return f"<{name} {attributes}><title>{html.escape(title)}</title></{name}>" if title else f"<{name} {attributes}/>"


def _fill(paint: Paint) -> str:
    return f'style="fill:{_css(paint)}"'


def _css(paint: Paint) -> str:
    return f"var(--{paint})" if isinstance(paint, str) else hexadecimal(paint)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
