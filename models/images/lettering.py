"""Text in images: one scalable typeface, and how labels are changed that do not fit or that it cannot write."""

import unicodedata
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

INK, FAINT_INK = (31, 35, 40), (89, 99, 110)


@lru_cache(maxsize=16)
def typeface(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own typeface, Aileron, in pixels. It comes with Pillow, so every container has it."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def writable(text: str) -> str:
    """Turn a text into one line without accents and control characters.

    "é" is written "e". Letters of scripts that the typeface lacks stay, and are drawn as empty boxes.
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    printable = "".join(letter if letter.isprintable() else " " for letter in plain)
    return " ".join(printable.split())


def shortened(text: str, size: int, width: int) -> str:
    """Cut the middle out of a text wider than `width` pixels: both ends of a label tell it from others."""
    font = typeface(size)
    text = writable(text)
    if len(text) <= 400 and font.getlength(text) <= width:
        return text
    low, high = 0, min(len(text), 400) // 2
    while low < high:
        kept = (low + high + 1) // 2
        if font.getlength(_ends(text, kept)) <= width:
            low = kept
        else:
            high = kept - 1
    return _ends(text, low)


def _ends(text: str, kept: int) -> str:
    return f"{text[:kept]}…{text[len(text) - kept :]}"


def write(
    canvas: Image.Image,
    place: tuple[float, float],
    text: str,
    *,
    size: int,
    anchor: str,
    bold: bool = False,
    ink: tuple[int, int, int] = INK,
) -> None:
    """Write one line; `anchor` says which point of it `place` is, in Pillow's letters ("ls": left end, baseline)."""
    stroke = size / 60 if bold else 0  # the typeface comes in one weight only
    pen = ImageDraw.Draw(canvas)
    pen.text(place, text, fill=ink, font=typeface(size), anchor=anchor, stroke_width=stroke, stroke_fill=ink)
