"""Contact sheets: 24 images a page with their ground truth, names, labels and faults."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from data.drawing.colours import FAULT, ink_on, label_colour
from data.drawing.ground_truth import draw_objects
from data.drawing.shown_image import ShownImage
from data.drawing.thumbnail import fitted
from models.images.lettering import FAINT_INK, INK, shortened, typeface, write
from models.labels import named

PER_SHEET = 24

_COLUMNS = 6
_TILE = (340, 255)
_CAPTION = 52
_GAP, _HEADER = 20, 64
_GROUND, _EMPTY = (255, 255, 255), (240, 242, 245)


@dataclass(frozen=True, slots=True)
class SheetTile:
    """One image on its way to a sheet and a page: its pixels, mode RGB, or None where `trouble` says why not."""

    shown: ShownImage
    pixels: Image.Image | None
    trouble: str = ""

    def drawn(self, bounds: tuple[int, int], unit: int) -> Image.Image | None:
        """Return the image with its ground truth, within `bounds`; lines and letters are `unit` times as large."""
        if self.pixels is None or self.shown.image is None:
            return None
        small = fitted(self.pixels, bounds)
        return draw_objects(small, self.shown.image.objects, faulty=self.shown.faulty, unit=unit)


def draw_sheet(title: str, note: str, tiles: Sequence[SheetTile]) -> Image.Image:
    """Draw up to 24 tiles below a title and a fainter note, mode RGB."""
    rows = max(1, -(-len(tiles) // _COLUMNS))
    width = _GAP + _COLUMNS * (_TILE[0] + _GAP)
    height = _HEADER + rows * (_TILE[1] + _CAPTION + _GAP)
    sheet = Image.new("RGB", (width, height), _GROUND)
    heading = shortened(title, 22, width // 2)
    write(sheet, (_GAP, 40), heading, size=22, anchor="ls", bold=True)
    left = _GAP + typeface(22, heading).getlength(heading) + 16
    write(sheet, (left, 40), shortened(note, 15, round(width - left - _GAP)), size=15, anchor="ls", ink=FAINT_INK)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, _COLUMNS)
        place = _GAP + column * (_TILE[0] + _GAP), _HEADER + row * (_TILE[1] + _CAPTION + _GAP)
        _draw_tile(sheet, tile, place)
    return sheet


def _draw_tile(sheet: Image.Image, tile: SheetTile, place: tuple[int, int]) -> None:
    left, top = place
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left, top, left + _TILE[0] - 1, top + _TILE[1] - 1), fill=_EMPTY)
    drawn = tile.drawn(_TILE, 1)
    if drawn is not None:
        sheet.paste(drawn, (left + (_TILE[0] - drawn.width) // 2, top + (_TILE[1] - drawn.height) // 2))
    else:
        text = shortened(tile.trouble, 14, _TILE[0] - 24)
        write(sheet, (left + _TILE[0] / 2, top + _TILE[1] / 2), text, size=14, anchor="mm", ink=FAULT)
    if tile.shown.faults:
        pen.rectangle((left - 3, top - 3, left + _TILE[0] + 2, top + _TILE[1] + 2), outline=FAULT, width=3)
    _write_caption(sheet, tile.shown, (left, top + _TILE[1]))


def _write_caption(sheet: Image.Image, shown: ShownImage, place: tuple[int, int]) -> None:
    left, top = place
    line = f"{shown.line}"
    write(sheet, (left, top + 19), line, size=13, anchor="ls", ink=FAINT_INK)
    start = left + typeface(13).getlength(line) + 8
    name = shortened(shown.name, 13, round(left + _TILE[0] - start))
    write(sheet, (start, top + 19), name, size=13, anchor="ls", ink=INK)
    if shown.faults:
        codes = ", ".join(dict.fromkeys(fault.fault for fault in shown.faults))
        write(sheet, (left, top + 41), shortened(codes, 13, _TILE[0]), size=13, anchor="ls", bold=True, ink=FAULT)
    elif shown.image is not None and shown.image.labels:
        _write_labels(sheet, shown, (left, top + 26))
    else:
        count = len(shown.image.objects) if shown.image else 0
        text = f"{count} object{'s' * (count != 1)}" if count else "background"
        write(sheet, (left, top + 41), text, size=13, anchor="ls", ink=FAINT_INK)


def _write_labels(sheet: Image.Image, shown: ShownImage, place: tuple[int, int]) -> None:
    left, top = place
    pen, end = ImageDraw.Draw(sheet), left + _TILE[0]
    for index, label in enumerate(shown.labels):
        text = shortened(named(label), 13, min(_TILE[0] - 60, 200))
        wide = round(typeface(13, text).getlength(text)) + 12
        if left + wide > end - (40 if index + 1 < len(shown.labels) else 0):
            write(sheet, (left + 2, top + 15), f"+{len(shown.labels) - index}", size=13, anchor="ls", ink=FAINT_INK)
            return
        colour = label_colour(label)
        pen.rounded_rectangle((left, top, left + wide - 1, top + 19), 9, fill=colour)
        write(sheet, (left + wide / 2, top + 10), text, size=13, anchor="mm", ink=ink_on(colour))
        left += wide + 6
