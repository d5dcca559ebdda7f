"""What is told of an image file without its pixels equals what decoding it shows; cut files are found."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import ImageUnavailableError
from data.headers import image_facts
from models.images.decoding import FORMATS, decode, read_header
from tests.support.images import LIMITS, encoded, painted

PIXELS = painted(3, 90, 60)


def exif(orientation: int) -> Image.Exif:
    content = Image.Exif()
    content[274] = orientation
    return content


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_size_and_orientation_are_those_of_decoding(form: str, orientation: int, tmp_path: Path) -> None:
    data = encoded(PIXELS, form, exif=exif(orientation))
    (tmp_path / "image").write_bytes(data)
    facts = image_facts(tmp_path / "image")
    assert facts.size == decode(data, LIMITS).size
    assert facts.turned_size == decode(data, LIMITS, exif=True).size
    assert facts.orientation == (1 if form == "TIFF" else orientation)
    assert facts.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_a_header(form: str) -> None:
    header = read_header(encoded(PIXELS, form), LIMITS)
    assert (header.format, header.size, header.orientation) == (form, (90, 60), 1)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_cut_files_are_unreadable_whatever_part_is_left(form: str, share: float, tmp_path: Path) -> None:
    data = encoded(PIXELS, form)
    (tmp_path / "image").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageUnavailableError) as error:
        image_facts(tmp_path / "image")
    assert error.value.fault == "image_unreadable"


@pytest.mark.parametrize("content", [b"", b"no image at all", b"<html>not found</html>", b"\xff\xd8\xff"])
def test_what_is_no_image_is_unreadable(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(ImageUnavailableError, match=r"^The .*\.$") as error:
        image_facts(tmp_path / "image")
    assert "Send" not in str(error.value)


@pytest.mark.parametrize("form", FORMATS)
def test_whole_files_are_not_decoded(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "image").write_bytes(encoded(PIXELS, form))
    monkeypatch.setattr("data.headers.decode", lambda *_: pytest.fail("was decoded"))
    image_facts(tmp_path / "image")


def test_pixels_are_decoded_only_on_demand_and_hashed_whatever_the_encoding(tmp_path: Path) -> None:
    for form in ("PNG", "BMP"):
        (tmp_path / form).write_bytes(encoded(PIXELS, form))
    (tmp_path / "other").write_bytes(encoded(np.ascontiguousarray(PIXELS.reshape(90, 60, 3)), "PNG"))
    found = {name: image_facts(tmp_path / name, deep=True) for name in ("PNG", "BMP", "other")}
    assert found["PNG"].pixels == found["BMP"].pixels != found["other"].pixels
    assert found["PNG"].sha256 != found["BMP"].sha256
    assert image_facts(tmp_path / "PNG").pixels is None


def test_damage_within_the_pixels_is_found_on_demand(tmp_path: Path) -> None:
    data = bytearray(encoded(PIXELS, "PNG"))
    data[len(data) // 2] ^= 255
    (tmp_path / "image").write_bytes(data)
    image_facts(tmp_path / "image")
    with pytest.raises(ImageUnavailableError, match="damaged"):
        image_facts(tmp_path / "image", deep=True)
