"""The orientation in metadata that are odd or damaged, known by how they were written."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from models.images.decoding import decode
from models.images.formats.orientation import exif_orientation
from tests.support.encodings.exif import (
    EXIF_IFD,
    GPS_IFD,
    THUMBNAIL,
    UNIT,
    XRESOLUTION,
    ExifVariant,
    exif_variants,
    orientation_field,
    tiff_block,
)
from tests.support.images import LIMITS, Pixels, encoded, painted

PIXELS = painted(1, 9, 6)
# as DC-008 says where row 0 and column 0 of the stored image are: top and left, top and right, and so on
AS_SHOWN = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.swapaxes(0, 1),
    6: np.rot90(PIXELS, -1),
    7: PIXELS[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90(PIXELS, 1),
}
XMP = b'<x:xmpmeta><rdf:Description tiff:Make="A" tiff:Orientation="%d"/></x:xmpmeta>'


def shown(data: bytes) -> Pixels:
    return np.asarray(decode(data, LIMITS, exif=True))


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return the pixels as a PNG with further chunks in front of them."""
    plain = encoded(PIXELS, "PNG")
    parts = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    ]
    return plain[:33] + b"".join(parts) + plain[33:]


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    plain = encoded(PIXELS, "JPEG", quality=100)
    parts = [struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content for marker, content in segments]
    return plain[:2] + b"".join(parts) + plain[2:]


def webp_with(name: bytes, content: bytes) -> bytes:
    stored = encoded(PIXELS, "WEBP", lossless=True)[12:]
    flags = {b"EXIF": 8, b"XMP ": 4}[name]
    canvas = bytes([flags, 0, 0, 0]) + b"".join((side - 1).to_bytes(3, "little") for side in (9, 6))
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + stored
    body += name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_the_orientation_is_read_whatever_else_is_odd() -> None:
    variants = list(exif_variants(0))
    wrong = [
        (variant.oddity, variant.orientation)
        for variant in variants
        if (exif_orientation(variant.block) or 1) != variant.orientation
    ]
    assert wrong == []
    assert len(variants) > 3000


def selection() -> Iterator[ExifVariant]:
    yield from list(exif_variants(1))[::7]


def test_images_are_turned_beside_odd_fields() -> None:
    jpeg = np.asarray(decode(jpeg_with(), LIMITS))
    tried = 0
    for variant in selection():
        block, expected = variant.block, AS_SHOWN[variant.orientation]
        assert np.array_equal(shown(png_with((b"eXIf", block))), expected), variant.oddity
        assert np.array_equal(shown(webp_with(b"EXIF", block)), expected), variant.oddity
        found = shown(jpeg_with((0xE1, b"Exif\0\0" + block)))
        assert found.shape == expected.shape, variant.oddity
        assert np.abs(found.astype(int) - expected).mean() < 3 + np.abs(jpeg.astype(int) - PIXELS).mean()
        tried += 1
    assert tried > 400


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", AS_SHOWN)
def test_a_tiff_is_turned_beside_odd_fields(order: str, orientation: int) -> None:
    sizes = [(256, 4, 9), (257, 4, 6), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 0), (277, 3, 1), (279, 4, 54)]
    grey = np.ascontiguousarray(PIXELS[:, :, 0])
    odd = {
        "plain": (305, 2, 4, b"abc\0"),
        "resolution of text": (XRESOLUTION, 2, 4, b"72 \0"),
        "resolution by zero": (XRESOLUTION, 10, 1, struct.pack(order + "ii", -1, 0)),
        "unit of bytes": (UNIT, 1, 1, b"\2"),
        "EXIF nowhere": (EXIF_IFD, 4, 1, b"\x7f" * 4),
        "GPS of text": (GPS_IFD, 2, 9, b"nowhere.\0"),
        "a preview beyond the end": (THUMBNAIL + 60000, 7, 2**31, b"\x7f" * 4),
    }
    for name, field in odd.items():
        fields = [(tag, kind, 1, struct.pack(order + ("H" if kind == 3 else "I"), value)) for tag, kind, value in sizes]
        fields = sorted([*fields, orientation_field(order, orientation), field])
        place = len(tiff_block(order, fields))
        fields = [(273, 4, 1, struct.pack(order + "I", place)) if one[0] == 273 else one for one in fields]
        data = tiff_block(order, fields) + grey.tobytes()
        expected = AS_SHOWN[orientation][:, :, :1].repeat(3, 2)
        assert np.array_equal(np.asarray(decode(data, LIMITS)), expected), name


@pytest.mark.parametrize("orientation", AS_SHOWN)
def test_xmp_tells_the_orientation_where_exif_does_not(orientation: int) -> None:
    expected, xmp = AS_SHOWN[orientation], XMP % orientation
    element = b"<tiff:Orientation>%d</tiff:Orientation>" % orientation
    name = b"XML:com.adobe.xmp\0"
    exif = tiff_block("<", [orientation_field("<", 8)])
    assert np.array_equal(shown(webp_with(b"XMP ", xmp)), expected)
    assert np.array_equal(shown(png_with((b"iTXt", name + bytes(4) + xmp))), expected)
    assert np.array_equal(shown(png_with((b"iTXt", name + b"\1\0\0\0" + zlib.compress(element)))), expected)
    assert np.array_equal(shown(png_with((b"iTXt", name + bytes(4) + xmp), (b"eXIf", exif))), AS_SHOWN[8])
    assert shown(jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))).shape == expected.shape
    tiff = encoded(PIXELS, "TIFF", tiffinfo={700: xmp})
    assert np.array_equal(np.asarray(decode(tiff, LIMITS)), expected)


@pytest.mark.parametrize("orientation", AS_SHOWN)
def test_exif_that_imagemagick_wrote_as_text_is_read(orientation: int) -> None:
    digits = (b"Exif\0\0" + tiff_block(">", [orientation_field(">", orientation)])).hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\nexif\n{len(digits) // 2:8}\n{lines}\n".encode()
    name = b"Raw profile type exif\0"
    assert np.array_equal(shown(png_with((b"tEXt", name + text))), AS_SHOWN[orientation])
    assert np.array_equal(shown(png_with((b"zTXt", name + b"\0" + zlib.compress(text)))), AS_SHOWN[orientation])


def test_the_first_of_several_blocks_that_tells_an_orientation_counts() -> None:
    block = b"Exif\0\0" + tiff_block("<", [orientation_field("<", 6)])
    other = b"Exif\0\0" + tiff_block("<", [orientation_field("<", 3)])
    assert shown(jpeg_with((0xE1, b"Exif\0\0"), (0xE1, block), (0xE1, other))).shape == AS_SHOWN[6].shape
    assert Image.fromarray(PIXELS).size == (9, 6)
