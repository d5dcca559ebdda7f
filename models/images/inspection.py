"""Cheap facts about an encoded image: whether decoding it may take much time or memory.

Only headers are read, by a bounded number of steps; Pillow itself may take minutes for the header of a crafted file.
"""

import struct
from collections.abc import Callable

MAX_PIXELS = 2**25  # more than most cameras and phones have; a larger image takes a quarter of a second and 130 MB
_MAX_SCANNED = 2e8  # pixels times scans
_PIXELS_PER_SCAN = 20_000  # what a scan of no pixels costs
_MAX_PARTS = 100  # segments, chunks or tags; most files have fewer than twenty
_BYTES_PER_PART = 2_048  # files of many bytes have more chunks of pixels
_MAX_RUNS = 200_000  # Pillow decodes the runs of a BMP in Python
_SPARE_BYTES, _BYTES_PER_PIXEL = 2**20, 8  # no honest file has more bytes than these for its pixels
_MAX_VALUES = 20_000  # of the tags of a TIFF, such as the offsets of its strips

_SIZE_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_USUAL_MARKERS = {0xC0, 0xC1, 0xC2}  # baseline and progressive, without arithmetic coding
_RUN_LENGTHS = {1, 2}  # compressions of a BMP
_SHORT = 3  # the kind of a tag's values of 16 bits
_BYTES = {1, 2, 6, 7}  # the kinds of those that Pillow reads as a whole
_BYTES_PER_VALUE = 64  # of those, as many as cost as much as another value


class _CostlyError(Exception):
    """The file is one that may take long."""


def is_costly(data: bytes | memoryview) -> bool:
    """Return whether an encoded image may take long to decode, or much memory. Damaged headers count as costly.

    Bytes of no known format are not: nobody decodes them.
    """
    head = bytes(data[:12])
    inspect = next((inspect for magic, inspect in _FORMATS.items() if head.startswith(magic)), None)
    if inspect is None:
        return False
    try:
        pixels = inspect(bytes(data))
    except (_CostlyError, struct.error, IndexError):
        return True
    return pixels > MAX_PIXELS or len(data) > _SPARE_BYTES + _BYTES_PER_PIXEL * pixels


def _check(within: bool) -> None:
    if not within:
        raise _CostlyError


def _jpeg(data: bytes) -> int:
    at, pixels = 2, 0
    for _ in range(_MAX_PARTS):
        at = _after_fill(data, at)
        marker = data[at]
        if marker == 0xDA:
            # coded data holds no such pair of bytes, so each is a scan, or lies in a thumbnail
            scans = data.count(b"\xff\xda", at - 1)
            _check(scans * (pixels + _PIXELS_PER_SCAN) <= _MAX_SCANNED)
            return pixels
        (length,) = struct.unpack_from(">H", data, at + 1)
        if marker in _SIZE_MARKERS:
            _check(marker in _USUAL_MARKERS)
            height, width = struct.unpack_from(">HH", data, at + 4)
            pixels = width * height
        if data[at + 3 : at + 9] == b"Exif\0\0":
            _check_tags(data, at + 9)
        if data[at + 3 : at + 7] == b"MPF\0":  # the list of further images in the file
            _check_tags(data, at + 7)
        at += 1 + length
    raise _CostlyError


def _after_fill(data: bytes, at: int) -> int:
    """Return the position of a marker's second byte; any number of bytes 255 may stand before it."""
    _check(data[at] == 0xFF)
    for after in range(at + 1, at + _MAX_PARTS):
        if data[after] != 0xFF:
            return after
    raise _CostlyError


def _png(data: bytes) -> int:
    width, height = struct.unpack_from(">II", data, 16)
    at = 8
    for _ in range(_MAX_PARTS + len(data) // _BYTES_PER_PART):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            return int(width * height)
        if kind == b"eXIf":
            _check_tags(data, at + 8)
        at += 12 + length
    raise _CostlyError


def _gif(data: bytes) -> int:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _colours(flags)
    for _ in range(_MAX_PARTS):
        kind = data[at]
        if kind == 0x2C:
            left, top, own_width, own_height = struct.unpack_from("<HHHH", data, at + 1)
            return int(max(width, left + own_width) * max(height, top + own_height))
        _check(kind == 0x21)
        at = _after_blocks(data, at + 2)
    raise _CostlyError


def _after_blocks(data: bytes, at: int) -> int:
    for _ in range(_MAX_PARTS):
        length = data[at]
        at += 1 + length
        if not length:
            return at
    raise _CostlyError


def _colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _bmp(data: bytes) -> int:
    (size,) = struct.unpack_from("<I", data, 14)
    if size == 12:  # the first version of the header
        width, height = struct.unpack_from("<HH", data, 18)
        return int(width * height)
    width, height = struct.unpack_from("<ii", data, 18)
    (compression,) = struct.unpack_from("<I", data, 30)
    pixels = abs(int(width) * int(height))
    _check(compression not in _RUN_LENGTHS or min(pixels, len(data) // 2) <= _MAX_RUNS)
    return pixels


def _webp(data: bytes) -> int:
    at, pixels = 12, 0
    for _ in range(_MAX_PARTS):
        if at >= len(data):
            return pixels
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"VP8X":
            sides = data[at + 12 : at + 15], data[at + 15 : at + 18]
            width, height = (1 + int.from_bytes(side, "little") for side in sides)
        elif kind == b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, at + 14))
        elif kind == b"VP8L":
            (bits,) = struct.unpack_from("<I", data, at + 9)
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        else:
            width = height = 0
            if kind == b"EXIF":
                _check_tags(data, at + 8)
        pixels = max(pixels, width * height)
        at += 8 + length + (length & 1)
    raise _CostlyError


def _tiff(data: bytes) -> int:
    sizes = _check_tags(data, 0)
    return sizes.get(0x100, 0) * sizes.get(0x101, 0)


def _check_tags(data: bytes, start: int) -> dict[int, int]:
    """Check that the first directory of a TIFF or of EXIF metadata is small; return its whole numbers by tag."""
    start += 6 if data[start : start + 6] == b"Exif\0\0" else 0
    order = "<" if data[start : start + 2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", data, start + 4)
    (count,) = struct.unpack_from(f"{order}H", data, start + first)
    _check(count <= _MAX_PARTS)
    numbers, total = {}, 0
    for number in range(count):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, start + first + 2 + 12 * number)
        total += values if kind not in _BYTES else values // _BYTES_PER_VALUE
        at = start + first + 10 + 12 * number
        (numbers[tag],) = struct.unpack_from(f"{order}H" if kind == _SHORT else f"{order}I", data, at)
    _check(total <= _MAX_VALUES)
    return numbers


_FORMATS: dict[bytes, Callable[[bytes], int]] = {
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
    b"II+\0": lambda data: MAX_PIXELS + 1,  # with offsets of 64 bits, which large images have
    b"MM\0+": lambda data: MAX_PIXELS + 1,
}
