"""Figure: panels on white paper under a title, each with its own title, and with a scale or a legend beneath."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.colours import colour_table
from models.images.lettering import FAINT_INK, INK, shortened, typeface, writable, write

_PAPER, _HAIRLINE = (255, 255, 255), (208, 215, 222)
_MARGIN, _GUTTER = 56, 64
_NARROWEST_ROW, _NARROWEST_PANEL = 440, 240  # the header and a scale can still be read
_HEADER = 112  # from the upper edge to the first row of panels
_PANEL_TITLE, _FOOT = 40, 68  # above and below each panel
_BAR = 14
_TITLE_SIZES, _SUBTITLE_SIZE, _PANEL_TITLE_SIZE, _NOTE_SIZE = (38, 30), 21, 21, 17
_SIGNS = {
    "absolute": "absolute values",
    "positive": "for the label",
    "signed": "against and for it",
}


@dataclass(frozen=True, slots=True)
class Panel:
    """A painted image with its title and a `note` above, and with a colour bar below if there is a `style`.

    lines: a legend in place of the bar; each entry is a colour and what a line of it stands for.
    """

    image: Image.Image
    title: str
    note: str = ""
    style: Style | None = None
    lines: Sequence[tuple[tuple[int, int, int], str]] = ()


def scale_note(style: Style) -> str:
    """Return what the numbers along a colour bar count."""
    return _SIGNS[style.sign]


def figure(image: AttributionImage, rows: Sequence[Sequence[Panel]]) -> Image.Image:
    """Lay out panels of one size in rows of one length, under the label and its confidence."""
    columns, (width, height) = len(rows[0]), rows[0][0].image.size
    width = max(width, _NARROWEST_PANEL, (_NARROWEST_ROW + _GUTTER) // columns - _GUTTER)
    across, down = width + _GUTTER, _PANEL_TITLE + height + _FOOT
    size = (2 * _MARGIN + columns * across - _GUTTER, _HEADER + len(rows) * down + _MARGIN // 4)
    paper = Image.new("RGB", size, _PAPER)
    _header(paper, image)
    for number, row in enumerate(rows):
        for column, panel in enumerate(row):
            _place(paper, (_MARGIN + column * across, _HEADER + number * down + _PANEL_TITLE), width, panel)
    return paper


def _header(paper: Image.Image, image: AttributionImage) -> None:
    middle, room = paper.width / 2, paper.width - 2 * _MARGIN
    large, small = _TITLE_SIZES
    title, size = shortened(image.label, large, room), large
    if title != writable(image.label):
        title, size = shortened(image.label, small, room), small
    write(paper, (middle, 62), title, size=size, anchor="ms", bold=True)
    line = f"confidence {_rounded(image.confidence)}   ·   {image.algorithm_title}"
    write(paper, (middle, 94), line, size=_SUBTITLE_SIZE, anchor="ms", ink=FAINT_INK)


def _rounded(confidence: float) -> str:
    return "below 0.0001" if 0 < confidence < 0.00005 else f"{confidence:.4f}"


def _place(paper: Image.Image, corner: tuple[int, int], width: int, panel: Panel) -> None:
    left, top = corner
    edge, height = left + (width - panel.image.width) // 2, panel.image.height
    paper.paste(panel.image, (edge, top))
    frame = (edge - 1, top - 1, edge + panel.image.width, top + height)
    ImageDraw.Draw(paper).rectangle(frame, outline=_HAIRLINE)
    title = shortened(panel.title, _PANEL_TITLE_SIZE, width)
    write(paper, (left, top - 13), title, size=_PANEL_TITLE_SIZE, anchor="ls")
    room = width - typeface(_PANEL_TITLE_SIZE, title).getlength(title) - 24
    if typeface(_NOTE_SIZE, panel.note).getlength(panel.note) <= room:
        write(paper, (left + width, top - 13), panel.note, size=_NOTE_SIZE, anchor="rs", ink=FAINT_INK)
    below = (left, top + height + 10)
    if panel.style is not None:
        _colour_bar(paper, below, width, panel.style)
    _legend(paper, below, panel)


def _colour_bar(paper: Image.Image, corner: tuple[int, int], width: int, style: Style) -> None:
    left, top = corner
    steps = colour_table(style.colours)[np.linspace(0, 255, width).round().astype(np.intp)]
    paper.paste(Image.fromarray(np.broadcast_to(steps, (_BAR, width, 3)).copy()), corner)
    pen = ImageDraw.Draw(paper)
    pen.rectangle((left - 1, top - 1, left + width, top + _BAR), outline=_HAIRLINE)
    low = -1.0 if style.sign == "signed" else 0.0
    for share, anchor in ((0.0, "lt"), (0.25, "mt"), (0.5, "mt"), (0.75, "mt"), (1.0, "rt")):
        x = left + round(share * (width - 1))
        pen.line((x, top + _BAR + 1, x, top + _BAR + 5), fill=INK)
        write(paper, (x, top + _BAR + 9), f"{low + share * (1 - low):g}", size=_NOTE_SIZE, anchor=anchor)


def _legend(paper: Image.Image, corner: tuple[int, int], panel: Panel) -> None:
    left, top = corner
    pen = ImageDraw.Draw(paper)
    for colour, text in panel.lines:
        pen.line((left, top + 8, left + 26, top + 8), fill=INK, width=6)
        pen.line((left + 1, top + 8, left + 25, top + 8), fill=colour, width=3)
        write(paper, (left + 35, top + 14), text, size=_NOTE_SIZE, anchor="ls")
        left += 35 + round(typeface(_NOTE_SIZE, text).getlength(text)) + 28
