"""Pixels -> a TIFF file of one strip, without compression, since engines accept encoded images only.

Tags as in https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf.
"""

import struct

_HEADER = struct.Struct("<2sHI")
_ENTRY = struct.Struct("<HHII")
_SHORT, _LONG = 3, 4


def tiff(pixels: bytes | memoryview, width: int, height: int) -> bytes:
    """Wrap RGB pixels, uint8 [height, width, 3] in rows from the top, into a TIFF file without compression."""
    entries = [
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, 3, 0),  # where the bits of each sample stand: three numbers do not fit here
        (259, _SHORT, 1, 1),  # no compression
        (262, _SHORT, 1, 2),  # RGB
        (273, _LONG, 1, 0),  # where the strip begins
        (277, _SHORT, 1, 3),
        (278, _LONG, 1, height),
        (279, _LONG, 1, len(pixels)),
        (284, _SHORT, 1, 1),  # samples of a pixel side by side
    ]
    bits_at = _HEADER.size + 2 + len(entries) * _ENTRY.size + 4
    strip_at = bits_at + 6 + 2
    values = {258: bits_at, 273: strip_at}
    directory = b"".join(_ENTRY.pack(tag, kind, count, values.get(tag, value)) for tag, kind, count, value in entries)
    return b"".join(
        [
            _HEADER.pack(b"II", 42, _HEADER.size),
            struct.pack("<H", len(entries)),
            directory,
            struct.pack("<I3HH", 0, 8, 8, 8, 0),
            pixels,
        ]
    )
