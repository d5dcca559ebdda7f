"""Text in images: scalable typefaces, and how labels are changed that do not fit or that they cannot write."""

import string
import unicodedata
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

INK, FAINT_INK = (31, 35, 40), (89, 99, 110)

_COMMON = frozenset(string.ascii_letters + string.digits + string.punctuation + " …")


# Asked for letters that Aileron lacks: of Greek, Cyrillic, Arabic and so on, and of Chinese, Japanese and Korean
_OTHERS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc", "Arial Unicode.ttf")
_NO_LETTER = "\uffff"


def typeface(size: int, text: str = "") -> ImageFont.FreeTypeFont:
    """Return a typeface that can write a text, in pixels.

    That is Pillow's own, Aileron, which every container has. For letters that it lacks, another one of this machine
    is looked for; without one they are empty boxes.
    """
    if all(letter in _COMMON or _has(None, letter) for letter in text):
        return _named_typeface(None, size)
    for name in _OTHERS:
        if _is_there(name) and all(_has(name, letter) for letter in text):
            return _named_typeface(name, size)
    return _named_typeface(None, size)


@lru_cache(maxsize=64)
def _named_typeface(name: str | None, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


@lru_cache(maxsize=len(_OTHERS))
def _is_there(name: str) -> bool:
    try:
        _named_typeface(name, 16)
    except OSError:
        return False
    return True


@lru_cache(maxsize=2**14)
def _has(name: str | None, letter: str) -> bool:
    """Tell whether a typeface has a letter, or draws for it what it draws for no letter at all."""
    font = _named_typeface(name, 16)
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(_NO_LETTER))


def writable(text: str) -> str:
    """Turn a text into one line without accents and control characters.

    "é" is written "e". Letters of other scripts stay.
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    printable = "".join(letter if letter.isprintable() else " " for letter in plain)
    return " ".join(printable.split())


def shortened(text: str, size: int, width: int) -> str:
    """Cut the middle out of a text wider than `width` pixels: both ends of a label tell it from others."""
    text = writable(text)
    font = typeface(size, text[:400])
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
    pen.text(place, text, fill=ink, font=typeface(size, text), anchor=anchor, stroke_width=stroke, stroke_fill=ink)
