"""The directory of a TIFF file, which is also the form of EXIF metadata: read however odd, and written with fewer tags.

Structure and types as in https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, the long form (BigTIFF) as in
https://libtiff.gitlab.io/libtiff/specification/bigtiff.html.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ByteOrder = Literal["<", ">"]

_MOST_FIELDS = 65535
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}


@dataclass(frozen=True, slots=True)
class TiffField:
    """A field: its type, how many values it claims to have, and the 4 (or 8) bytes that hold them or their place."""

    kind: int
    count: int
    inline: bytes


class TiffDirectory:
    """The fields of the first directory, by tag; of those with the same tag the first one.

    A directory that is cut off has the fields before the cut. No field is looked into before it is asked for.
    """

    def __init__(
        self, data: bytes | memoryview, order: ByteOrder, fields: Mapping[int, TiffField], *, start: int, long: bool
    ) -> None:
        self.order = order
        self.fields = fields
        self.start = start
        self._data = data
        self._long = long

    def content(self, tag: int) -> bytes | memoryview:
        """Return the bytes of the values of a field, which are no more than the file has; ValueError where cut off."""
        field = self.fields[tag]
        size = _SIZES.get(field.kind, 1) * field.count
        if size <= len(field.inline):
            return field.inline[:size]
        (start,) = struct.unpack(self.order + ("I" if len(field.inline) == 4 else "Q"), field.inline)
        if start + size > len(self._data):
            raise ValueError(f"the {field.count} values of tag {tag} are beyond the end of the file")
        return self._data[start : start + size]

    def integers(self, tag: int) -> NDArray[Any]:
        """Return the values of a field of whole numbers: an integer array [count], empty where there is no such field.

        ValueError where the values are cut off or of another type.
        """
        field = self.fields.get(tag)
        if field is None:
            return np.zeros(0, np.uint32)
        if field.kind not in _INTEGERS:
            raise ValueError(f"the values of tag {tag} are of type {field.kind} and not whole numbers")
        return np.frombuffer(self.content(tag), np.dtype(_INTEGERS[field.kind]).newbyteorder(self.order))

    def first(self, tag: int) -> TiffField:
        """Return a field with its first value alone."""
        field = self.fields[tag]
        value = bytes(self.content(tag)[: _SIZES.get(field.kind, 1)])
        return TiffField(field.kind, 1, value.ljust(len(field.inline), b"\0"))

    def packed(self, fields: Mapping[int, TiffField]) -> bytes:
        """Return the bytes of a directory with these of its fields, in the same form, which no other one follows."""
        count, entry, following = ("Q", "HHQ8s", 8) if self._long else ("H", "HHI4s", 4)
        entries = [
            struct.pack(self.order + entry, tag, field.kind, field.count, field.inline)
            for tag, field in sorted(fields.items())
        ]
        return b"".join([struct.pack(self.order + count, len(entries)), *entries, bytes(following)])

    def integer(self, tag: int, default: int) -> int:
        """Return the first value of a field of whole numbers, or `default` where there is none."""
        values = self.integers(tag)
        return int(values[0]) if len(values) else default


def marked_order(data: bytes | memoryview) -> ByteOrder:
    """Return the byte order by the first two bytes of a TIFF file: `MM` is big-endian, all else little-endian."""
    return ">" if bytes(data[:2]) == b"MM" else "<"


def read_directory(data: bytes | memoryview, order: ByteOrder) -> TiffDirectory:
    """Read the first directory of a TIFF file, in the given byte order; without fields where there is none."""
    long = 43 in data[2:4]
    fields: dict[int, TiffField] = {}
    start = count = 0
    try:
        (start,) = struct.unpack_from(order + ("Q" if long else "I"), data, 8 if long else 4)
        (count,) = struct.unpack_from(order + ("Q" if long else "H"), data, start)
    except (struct.error, OverflowError):
        count = 0
    entry = struct.Struct(order + ("HHQ8s" if long else "HHI4s"))
    first = start + (8 if long else 2)
    for at in range(first, min(first + min(count, _MOST_FIELDS) * entry.size, len(data) - entry.size + 1), entry.size):
        tag, *rest = entry.unpack_from(data, at)
        fields.setdefault(tag, TiffField(*rest))
    return TiffDirectory(data, order, fields, start=start, long=long)
