"""Files that are cut off, damaged or of an unread kind are called by the name of their format."""

import struct
from io import BytesIO

import numpy as np
import pytest

from models.errors import ImageError
from models.images.decoding import FORMATS, decode
from tests.support.images import LIMITS, encoded, painted

PIXELS = painted(1, 60, 40)
FILES = {form: encoded(PIXELS, form, **({"lossless": True} if form == "WEBP" else {})) for form in FORMATS}
SIGNATURES = {"JPEG": 2, "PNG": 4, "WEBP": 12, "BMP": 2, "GIF": 6, "TIFF": 4}


def refusal(data: bytes) -> ImageError | None:
    try:
        decode(data, LIMITS)
    except ImageError as error:
        return error
    return None


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_cut_off_anywhere_is_called_by_its_format(form: str) -> None:
    data = FILES[form]
    whole = np.asarray(decode(data, LIMITS))
    refused = 0
    for size in [*range(SIGNATURES[form], 200), *range(200, len(data), len(data) // 100)]:
        error = refusal(data[:size])
        if error is None:  # what is missing is no pixel
            assert np.array_equal(np.asarray(decode(data[:size], LIMITS)), whole), size
            continue
        assert error.code == "image_unreadable", size
        assert f"The {form} picture" in str(error), size
        refused += 1
    assert refused > 200


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_file_is_called_by_its_format(form: str) -> None:
    random = np.random.default_rng(0)
    refused = 0
    for number in range(400):
        data = bytearray(FILES[form])
        end = (60, 400, len(data))[number % 3]
        for _ in range(int(random.integers(1, 12))):
            data[int(random.integers(SIGNATURES[form], end))] = int(random.integers(256))
        error = refusal(bytes(data))
        if error is None or error.code == "image_too_large":
            continue
        if form == "BMP" and error.code == "image_format":  # two letters are no signature without a known header
            continue
        assert error.code == "image_unreadable", number
        assert f"The {form} picture" in str(error) or "The samples of the picture" in str(error), number
        refused += 1
    assert refused > (5 if form == "BMP" else 20), "the pixels of a BMP may be any"


def test_a_cut_header_says_that_the_file_breaks_off() -> None:
    for form, size in {"PNG": 33, "JPEG": 20, "GIF": 8, "TIFF": 8, "WEBP": 16, "BMP": 20}.items():
        error = refusal(FILES[form][:size])
        assert error is not None
        assert f"The {form} picture is damaged or incomplete (" in str(error)
        assert "Send it again whole." in str(error)


def test_a_checksum_of_a_png_that_is_wrong_is_told() -> None:
    stream = BytesIO(FILES["PNG"])
    data = bytearray(stream.getvalue())
    data[29] ^= 1
    error = refusal(bytes(data))
    assert error is not None
    assert "The PNG picture is damaged or incomplete" in str(error)
    assert "IHDR" in str(error)


def test_whole_tiffs_of_kinds_that_pillow_lacks_are_told_from_damaged_ones() -> None:
    masks = FILES["TIFF"].replace(struct.pack("<HHIH", 262, 3, 1, 2), struct.pack("<HHIH", 262, 3, 1, 4))
    assert masks != FILES["TIFF"]
    error = refusal(masks)
    assert error is not None
    assert error.code == "image_unreadable"
    assert "The TIFF picture" in str(error)
    assert "PhotometricInterpretation 4" in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"BMW is a maker of cars",
        b"BM and then some text that goes on",
        b"GIF is a word",
        b"RIFF\4\0\0\0WAVE",
        b"II",
        b"\x89PN",
    ],
)
def test_what_only_begins_like_a_signature_has_no_known_format(data: bytes) -> None:
    error = refusal(data)
    assert error is not None
    assert error.code == "image_format"
