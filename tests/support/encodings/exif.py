"""EXIF blocks that tell a known orientation, beside fields that are odd in every way that files in use show."""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ORIENTATION, XRESOLUTION, UNIT, EXIF_IFD, GPS_IFD, THUMBNAIL = 274, 282, 296, 34665, 34853, 513
TYPES = range(14)  # 0 and 13 are none that EXIF knows
_NEIGHBOURS = (254, 271, 272, XRESOLUTION, 283, UNIT, 306, THUMBNAIL, 514, 531, 700, 33432, EXIF_IFD, GPS_IFD, 37500)
_COUNTS = (0, 1, 2, 5, 1000, 2**31, 2**32 - 1)

# how numbers from 1 to 8 are written in each type that can hold them: its number, and the form of `struct` or text
WAYS = {
    "SHORT": (3, "H"),
    "LONG": (4, "I"),
    "BYTE": (1, "B"),
    "ASCII": (2, ""),
    "SBYTE": (6, "b"),
    "UNDEFINED": (7, "B"),
    "SSHORT": (8, "h"),
    "SLONG": (9, "i"),
    "FLOAT": (11, "f"),
    "RATIONAL": (5, "II"),
    "SRATIONAL": (10, "ii"),
    "DOUBLE": (12, "d"),
}

Field = tuple[int, int, int, bytes]


@dataclass(frozen=True)
class ExifVariant:
    """A block of EXIF without its mark, the orientation that it tells, and what is odd about it."""

    block: bytes
    orientation: int
    oddity: str


def tiff_block(order: str, fields: list[Field], *, claimed: int | None = None, following: int = 0) -> bytes:
    """Write a TIFF directory: the content of a field is put behind the directory where it is longer than 4 bytes."""
    entries, behind, at = b"", b"", 8 + 2 + 12 * len(fields) + 4
    for tag, kind, count, content in fields:
        place = content.ljust(4, b"\0")
        if len(content) > 4:
            place = struct.pack(order + "I", at + len(behind))
            behind += content
        entries += struct.pack(order + "HHI", tag, kind, count) + place
    head = struct.pack(order + "2sHI", b"MM" if order == ">" else b"II", 42, 8)
    count = len(fields) if claimed is None else claimed
    return head + struct.pack(order + "H", count) + entries + struct.pack(order + "I", following) + behind


def orientation_field(order: str, orientation: int, way: str = "SHORT", count: int = 1) -> Field:
    """Return the field of an orientation, written in one of `WAYS`."""
    kind, form = WAYS[way]
    if way == "ASCII":
        return ORIENTATION, kind, 2, b"%d\0" % orientation
    return ORIENTATION, kind, count, struct.pack(order + form, orientation, *[1] * (len(form) - 1))


def exif_variants(seed: int) -> Iterator[ExifVariant]:
    """Yield some thousand blocks: every orientation, byte order and way to write it, beside odd fields and cuts."""
    random = np.random.default_rng(seed)
    for order, orientation in itertools.product("<>", range(1, 9)):
        field = orientation_field(order, orientation)
        for way in WAYS:
            written = orientation_field(order, orientation, way)
            yield ExifVariant(tiff_block(order, [written]), orientation, f"orientation as {way}")
        for count in (0, 2, 3, 2**32 - 1):
            written = orientation_field(order, orientation, count=count)
            yield ExifVariant(tiff_block(order, [written]), orientation, f"orientation with count {count}")
        for tag, kind in itertools.product(_NEIGHBOURS, TYPES):
            odd = tag, kind, int(random.choice(_COUNTS)), random.bytes(int(random.choice([4, 4, 8])))
            fields = [odd, field] if tag < ORIENTATION else [field, odd]
            yield ExifVariant(tiff_block(order, fields), orientation, f"tag {tag} of type {kind}, count {odd[2]}")
        whole = tiff_block(order, [field, (THUMBNAIL, 4, 1, random.bytes(4))], following=int(random.integers(2**32)))
        yield ExifVariant(whole, orientation, "another directory nowhere")
        yield ExifVariant(whole[:22], orientation, "cut off behind the orientation")
        yield ExifVariant(tiff_block(order, [field], claimed=65535), orientation, "a count beyond the end")
        yield ExifVariant(tiff_block(order, [field], following=8), orientation, "a directory that follows itself")
        yield ExifVariant(whole[:2] + bytes(2) + whole[4:], orientation, "no version")
        yield ExifVariant((b"II" if order == ">" else b"MM") + whole[2:], orientation, "the mark of the other order")
        yield ExifVariant(b"Exif\0\0" + whole, orientation, "two marks")
        invalid = int(random.choice([0, 9, 255, 262]))
        yield ExifVariant(
            tiff_block(order, [orientation_field(order, invalid)]), 1, f"{invalid}, which is no orientation"
        )
