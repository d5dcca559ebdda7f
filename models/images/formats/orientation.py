"""The orientation of an image, from its metadata alone: whatever else is wrong in them does not matter.

EXIF is a TIFF directory, whose tag 274 says which side of the stored image is the top:
https://www.cipa.jp/std/documents/e/DC-X008-Translation-2019-E.pdf. XMP says the same as text.
"""

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from PIL import Image

from models.images.formats.tiff_directory import ByteOrder, TiffDirectory, marked_order, read_directory

_ORIENTATION, _XMP = 274, 700
_TEXT = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]""")
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q"}
_ASCII, _RATIONALS = 2, {5: "II", 10: "ii"}
_MARK = b"Exif\0\0"

_TURNS: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata that may tell the orientation: blocks of EXIF, and texts of XMP, as they are in the file."""

    exif: Iterable[bytes | memoryview] = ()
    xmp: Iterable[bytes | memoryview] = ()

    def orientation(self) -> int:
        """Return the orientation, 1 to 8, by the first block that tells one, EXIF before XMP; 1 where none does."""
        for block in self.exif:
            if found := exif_orientation(block):
                return found
        return next((found for text in self.xmp if (found := xmp_orientation(text))), 1)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image with its top where the orientation, 1 to 8, says that it is."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def exif_orientation(exif: bytes | memoryview) -> int | None:
    """Return the orientation, 1 to 8, that a block of EXIF tells, however odd its other fields are; None without one.

    The block may be cut off, and its mark of the byte order wrong.
    """
    block = bytes(exif)
    while block.startswith(_MARK):
        block = block[len(_MARK) :]
    marked = marked_order(block)
    orders: tuple[ByteOrder, ByteOrder] = (marked, "<" if marked == ">" else ">")
    return next((found for order in orders if (found := tagged_orientation(read_directory(block, order)))), None)


def tagged_orientation(directory: TiffDirectory) -> int | None:
    """Return the orientation, 1 to 8, of a directory; None where it tells none. Its type and count may be wrong."""
    field = directory.fields.get(_ORIENTATION)
    if field is None:
        return None
    # a single byte that is not zero can have one meaning only, whatever type and count say; no values lie so far ahead
    (*found,) = (value for value in field.inline if value)
    if len(found) == 1 and 1 <= found[0] <= 8:
        return found[0]
    size = struct.calcsize(_RATIONALS.get(field.kind) or _FORMATS.get(field.kind, "H"))
    try:
        content = directory.content(_ORIENTATION) if field.count else field.inline
        first = _first(field.kind, bytes(content[: max(size, 4)]), directory.order)
    except (struct.error, ValueError, ZeroDivisionError):
        return None
    return int(first) if first in range(1, 9) else None


def tiff_orientation(directory: TiffDirectory) -> int:
    """Return the orientation, 1 to 8, of a TIFF file by its own tag, else by its XMP; 1 where neither tells one."""
    try:
        xmp = [directory.content(_XMP)] if _XMP in directory.fields else []
    except ValueError:
        xmp = []
    return tagged_orientation(directory) or Metadata(xmp=xmp).orientation()


def xmp_orientation(xmp: bytes | memoryview) -> int | None:
    """Return the orientation, 1 to 8, that a text of XMP tells; None where it tells none."""
    found = _TEXT.search(xmp)
    return int(found[1]) if found else None


def _first(kind: int, content: bytes, order: ByteOrder) -> Any:
    if kind == _ASCII:
        return int(content.split(b"\0")[0])
    if kind in _RATIONALS:
        above, below = struct.unpack_from(order + _RATIONALS[kind], content)
        return above / below
    return struct.unpack_from(order + _FORMATS.get(kind, "H"), content)[0]
