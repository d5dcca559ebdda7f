"""Metadata of any size cost nothing and do not keep an image from being read."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.errors import ImageError
from models.images.decoding import ImageLimits, decode
from models.images.formats.jpeg import MOST_PARTS
from tests.support.costly_images import chunk
from tests.support.images import Pixels, encoded, painted

LIMITS = ImageLimits(max_bytes=10**8, max_pixels=10**6)
PIXELS = painted(2, 64, 48)
PNG, JPEG = encoded(PIXELS, "PNG"), encoded(PIXELS, "JPEG")
FIVE_MB = bytes(np.random.default_rng(0).integers(97, 123, 5 * 2**20, dtype=np.uint8))
BOMB = zlib.compress(bytes(200 * 2**20), 9)  # of 200 MB

Insert = Callable[[bytes], bytes]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def pixels_of(data: bytes) -> Pixels:
    return np.asarray(decode(data, LIMITS, exif=True))


def before_pixels(part: bytes) -> bytes:
    return PNG[:33] + part + PNG[33:]


def behind_pixels(part: bytes) -> bytes:
    return PNG[:-12] + part + PNG[-12:]


CHUNKS = {
    "text": chunk(b"tEXt", b"Comment\0" + FIVE_MB),
    "compressed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(FIVE_MB)),
    "international text": chunk(b"iTXt", b"Comment\0\0\0\0\0" + FIVE_MB),
    "compressed international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(FIVE_MB)),
    "a profile": chunk(b"iCCP", b"name\0\0" + zlib.compress(FIVE_MB)),
    "a text of zeros": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "zeros for EXIF": chunk(b"zTXt", b"Raw profile type exif\0\0" + BOMB),
    "zeros for XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "a profile of zeros": chunk(b"iCCP", b"name\0\0" + BOMB),
    "a hundred texts of zeros": 100 * chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "a text that is no zlib": chunk(b"zTXt", b"Comment\0\0abc"),
    "a profile of another method": chunk(b"iCCP", b"name\0\1abc"),
    "odd numbers": chunk(b"gAMA", b"") + chunk(b"pHYs", b"\0") + chunk(b"cHRM", b"abc") + chunk(b"tRNS", b"\0"),
    "an animation without frames": chunk(b"acTL", bytes(8)),
    "3,000 texts": 3_000 * chunk(b"tEXt", b"a\0b"),
}


def measured(data: bytes) -> tuple[Pixels, int]:
    """Return the pixels of an image, and the most memory in bytes that decoding it took."""
    tracemalloc.start()
    try:
        found = pixels_of(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return found, peak


@pytest.mark.parametrize("place", [before_pixels, behind_pixels])
@pytest.mark.parametrize("kind", CHUNKS)
def test_a_png_with_odd_or_large_metadata_is_read_in_little_memory(kind: str, place: Insert) -> None:
    data = place(CHUNKS[kind])
    found, peak = measured(data)
    assert np.array_equal(found, PIXELS)
    assert peak < len(data) + 16 * 2**20


PROFILE = [segment(0xE2, b"ICC_PROFILE\0" + bytes([number % 256, 255]) + FIVE_MB[:65000]) for number in range(80)]
SEGMENTS = {
    "a profile of 5 MB": b"".join(PROFILE),
    "a profile in another order": b"".join(PROFILE[::-1]),
    "3,000 comments": 3_000 * segment(0xFE, b"abc"),
    "3,000 blocks of EXIF": 3_000 * segment(0xE1, b"Exif\0\0abc"),
    "every application": b"".join(segment(marker, FIVE_MB[:60000]) for marker in range(0xE1, 0xF0)),
    "an odd Photoshop block": segment(0xED, b"Photoshop 3.0\0008BIM"),
    "another image nowhere": segment(0xE2, b"MPF\0MM\0*\0\0\0\x08\0\1\xb0\1\0\4\0\0\0\1\0\0\0\x09"),
    "padding": b"\xff" * 1000,
}


@pytest.mark.parametrize("kind", SEGMENTS)
def test_a_jpeg_with_odd_or_large_metadata_is_read_in_little_memory(kind: str) -> None:
    data = JPEG[:2] + SEGMENTS[kind] + JPEG[2:]
    found, peak = measured(data)
    assert np.array_equal(found, pixels_of(JPEG))
    assert peak < len(data) + 16 * 2**20


def test_the_segments_that_tell_how_colours_are_stored_are_kept() -> None:
    cmyk = Image.fromarray(PIXELS).convert("CMYK")
    for data in (encoded(cmyk, "JPEG"), encoded(PIXELS, "JPEG", keep_rgb=True), encoded(PIXELS, "JPEG", subsampling=0)):
        commented = data[:2] + segment(0xFE, b"a comment") + data[2:]
        assert np.array_equal(pixels_of(commented), pixels_of(data))
        with Image.open(BytesIO(data)) as image:
            assert np.array_equal(pixels_of(data), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    "data",
    [
        before_pixels((MOST_PARTS + 1) * chunk(b"tEXt", b"")),
        JPEG[:2] + (MOST_PARTS + 1) * segment(0xFE, b"") + JPEG[2:],
    ],
    ids=["png", "jpeg"],
)
def test_metadata_in_too_many_parts_are_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=f"more than {MOST_PARTS}") as caught:
        pixels_of(data)
    assert caught.value.code == "image_too_complex"


def test_webp_with_a_large_profile_is_read() -> None:
    profile = bytes(FIVE_MB)
    found = pixels_of(encoded(PIXELS, "WEBP", lossless=True, icc_profile=profile, exif=b"Exif\0\0" + FIVE_MB[:9999]))
    assert np.array_equal(found, PIXELS)
