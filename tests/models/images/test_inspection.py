"""Which images are decoded apart: by cheap facts, whatever the format."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from models.images import inspection
from models.images.decoding import FORMATS
from models.images.inspection import is_costly
from tests.support import costly_images
from tests.support.images import encoded, painted

COSTLY: dict[str, Callable[[], bytes]] = {
    "scans": lambda: costly_images.jpeg_of_scans(1000, 400),
    "comments in a JPEG": lambda: costly_images.jpeg_of_comments(10_000),
    "comments in a PNG": lambda: costly_images.png_of_comments(10_000),
    "deep grey": lambda: costly_images.deep_grey_png(8200),
    "runs": lambda: costly_images.bmp_of_runs(500),
    "tiles": lambda: costly_images.tiff_of_tiles(200),
    "EXIF tags": lambda: costly_images.jpeg_of_exif_tags(3000),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_small_files_of_much_work_are_known(kind: str) -> None:
    assert is_costly(COSTLY[kind]())


@pytest.mark.parametrize("image_format", FORMATS)
def test_usual_images_of_every_format_are_not_costly(image_format: str) -> None:
    assert not is_costly(encoded(painted(3, 900, 700), image_format))


@pytest.mark.parametrize("image_format", FORMATS)
def test_large_images_of_every_format_are_costly(image_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MAX_PIXELS", 2**20)
    stream = BytesIO()
    Image.new("P" if image_format in ("GIF", "BMP") else "L", (1024, 1025)).save(stream, image_format)
    assert is_costly(stream.getvalue())


def test_photographs_as_phones_write_them_are_not_costly() -> None:
    exif = Image.Exif()
    exif.update(dict.fromkeys((270, 271, 272, 305, 306, 315), "text of a camera") | {274: 6})
    for options in ({}, {"progressive": True}, {"icc_profile": bytes(200_000)}):
        assert not is_costly(encoded(painted(5, 800, 600), "JPEG", exif=exif, quality=95, comment="text", **options))


def test_what_is_cut_off_is_costly_only_where_its_size_is_unknown() -> None:
    for image_format in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        data = encoded(painted(2, 64, 64), image_format)
        for length in range(0, len(data), 7):
            assert isinstance(is_costly(data[:length]), bool)
    assert not is_costly(b"no image at all")
