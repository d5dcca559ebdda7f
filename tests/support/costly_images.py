"""Small files that are much work: of each format the kinds that keep a decoder busy, or fill memory."""

import struct
import zlib
from io import BytesIO

from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """Return a progressive JPEG whose scans are repeated until there are so many."""
    stream = BytesIO()
    Image.new("L", (side, side), 90).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    start = data.index(b"\xff\xda")
    body = data[start:-2]
    return data[:start] + body * -(-scans // body.count(b"\xff\xda")) + data[-2:]


def jpeg_of_comments(comments: int) -> bytes:
    """Return a small JPEG with so many empty comments."""
    stream = BytesIO()
    Image.new("L", (64, 64), 90).save(stream, "JPEG")
    return stream.getvalue()[:2] + b"\xff\xfe\0\2" * comments + stream.getvalue()[2:]


def png_of_comments(comments: int) -> bytes:
    """Return a small PNG with so many comments."""
    stream = BytesIO()
    Image.new("L", (64, 64), 90).save(stream, "PNG")
    data = stream.getvalue()
    return data[:33] + chunk(b"tEXt", b"a\0") * comments + data[33:]


def deep_grey_png(side: int) -> bytes:
    """Return a black PNG of 16-bit grey."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2 * side + 1)) for _ in range(side)) + packer.flush()
    return PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)) + chunk(b"IDAT", packed) + end()


def bmp_of_runs(side: int) -> bytes:
    """Return a BMP of 8 bits, each pixel of which is a run of its own."""
    runs = (b"\1\5" * side + b"\0\0") * side + b"\0\1"
    palette = bytes(range(256)) * 4
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs


def tiff_of_tiles(side: int) -> bytes:
    """Return a TIFF in which each pixel of grey is a tile of its own."""
    count = side * side
    start = 8 + 2 + 12 * 10 + 4
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    tags += [(322, 4, 1, 1), (323, 4, 1, 1), (324, 4, count, start), (325, 4, count, start + 4 * count)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8) * count + struct.pack("<I", 1) * count


def jpeg_of_exif_tags(tags: int) -> bytes:
    """Return a small JPEG whose EXIF tags all have the same 60,000 bytes for their value."""
    stream = BytesIO()
    Image.new("L", (64, 64), 90).save(stream, "JPEG")
    entries = b"".join(struct.pack(">HHII", 40000 + tag, 7, 60_000, 8) for tag in range(tags))
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, tags) + entries + bytes(4)
    exif += bytes(65_000 - len(exif))
    data = stream.getvalue()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def end() -> bytes:
    """Return the last chunk of a PNG."""
    return chunk(b"IEND", b"")
