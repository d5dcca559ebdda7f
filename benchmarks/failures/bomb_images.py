"""Bombs: small image files that ask for much work or memory, one of each format, made here."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping

from PIL import Image

from tests.support.costly_images import PNG, chunk, end, jpeg_of_comments
from tests.support.images import encoded, painted

_SIDE = 9999  # squared, just below the default limit of 100 megapixels
_CLAIM = 65_000


def bombs() -> Mapping[str, Callable[[], bytes]]:
    """Return for each name what makes the file; none takes longer than a few seconds."""
    return {
        "PNG, 99 megapixels, grey, 16 bits": lambda: png(_SIDE, _SIDE, depth=16, colour=0, channels=2),
        "PNG, 99 megapixels, RGBA": lambda: png(_SIDE, _SIDE, depth=8, colour=6, channels=4),
        "PNG that claims 4 gigapixels": lambda: png(_CLAIM, _CLAIM, depth=8, colour=2, channels=3, rows=10),
        "PNG, 40 MB of compressed text": text_png,
        "JPEG with 400 scans": lambda: jpeg_of_scans(400),
        "JPEG with 100,000 comments": lambda: jpeg_of_comments(100_000),
        "JPEG that claims 4 gigapixels": jpeg_claim,
        "GIF that claims 4 gigapixels": gif_claim,
        "GIF with 3000 frames": gif_of_frames,
        "BMP of run lengths, 49 megapixels": bmp_of_runs,
        "TIFF that claims 4 gigapixels": tiff_claim,
        "TIFF, 99 megapixels, deflate": tiff_of_zeros,
        "WebP, 99 megapixels": webp_flat,
        "WebP that claims 268 megapixels": webp_claim,
    }


def png(width: int, height: int, *, depth: int, colour: int, channels: int, rows: int | None = None) -> bytes:
    """Return a black PNG with `rows` of its `height` in it; `channels` is in bytes a pixel."""
    row, deflate = bytes(1 + width * channels), zlib.compressobj(9)
    data = b"".join(deflate.compress(row) for _ in range(height if rows is None else rows)) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", data) + end()


def text_png() -> bytes:
    """Return a small PNG that holds 40 chunks of text, a megabyte each when it is decompressed."""
    whole = encoded(painted(1, 64, 48), "PNG")
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(b"a" * 2**20, 9))
    return whole[:33] + text * 40 + whole[33:]


def jpeg_of_scans(count: int) -> bytes:
    """Return a progressive JPEG of 64 megapixels whose last scan, nearly empty, is repeated."""
    stream = io.BytesIO()
    Image.new("L", (8000, 8000), 128).save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * count + whole[-2:]


def jpeg_claim() -> bytes:
    """Return a small JPEG whose header claims 65,000 pixels a side."""
    whole = bytearray(encoded(painted(1, 64, 48), "JPEG"))
    place = whole.index(b"\xff\xc0")
    whole[place + 5 : place + 9] = struct.pack(">HH", _CLAIM, _CLAIM)
    return bytes(whole)


def gif_claim() -> bytes:
    """Return a small GIF whose screen and frame claim 65,000 pixels a side."""
    whole = bytearray(encoded(Image.new("P", (16, 16)), "GIF"))
    whole[6:10] = struct.pack("<HH", _CLAIM, _CLAIM)
    place = whole.index(b"\x2c")
    whole[place + 5 : place + 9] = struct.pack("<HH", _CLAIM, _CLAIM)
    return bytes(whole)


def gif_of_frames() -> bytes:
    """Return a GIF of 2000x2000 pixels with 3000 frames of one pixel."""
    first = encoded(Image.new("P", (2000, 2000)), "GIF")
    frame = b"\x21\xf9\x04\x00\x01\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return first[:-1] + frame * 3000 + b"\x3b"


def bmp_of_runs() -> bytes:
    """Return a BMP of 7000x7000 pixels, run lengths of one pixel each in its first rows, then nothing."""
    palette, runs = bytes(1024), (b"\x01\x00" * 7000 + b"\x00\x00") * 300 + b"\x00\x01"
    start = 14 + 40 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, 7000, 7000, 1, 8, 1, len(runs), 2835, 2835, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + info + palette + runs


def tiff_claim() -> bytes:
    """Return a TIFF of a few bytes that claims 65,000 pixels a side in one strip."""
    return _tiff(_CLAIM, _CLAIM, b"\0" * 100, compression=1)


def tiff_of_zeros() -> bytes:
    """Return a black TIFF of 99 megapixels."""
    deflate = zlib.compressobj(9)
    data = b"".join(deflate.compress(bytes(_SIDE)) for _ in range(_SIDE)) + deflate.flush()
    return _tiff(_SIDE, _SIDE, data, compression=8)


def webp_flat() -> bytes:
    """Return a WebP of one colour, as large as the limit allows."""
    return encoded(Image.new("RGB", (_SIDE, _SIDE)), "WEBP", quality=0, method=0)


def webp_claim() -> bytes:
    """Return a small lossless WebP whose header claims 16,384 pixels a side."""
    whole = bytearray(encoded(Image.new("RGB", (16, 16)), "WEBP", lossless=True))
    place = whole.index(b"VP8L") + 9
    whole[place : place + 4] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    return bytes(whole)


def _tiff(width: int, height: int, data: bytes, compression: int) -> bytes:
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, compression), (262, 3, 1), (277, 3, 1)]
    entries += [(278, 4, height), (279, 4, len(data)), (273, 4, 8)]
    table = struct.pack("<H", len(entries))
    table += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(entries))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table + bytes(4)
