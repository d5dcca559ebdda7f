"""What the page knows of a file before a pixel is decoded: compared with Pillow and the server's own reader."""

import base64
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser

from models.images.decoding import read_header
from tests.support.browser import Tab
from tests.support.images import LIMITS, encoded, painted
from tests.support.page_modules import open_modules

Reader = Callable[..., Any]
PHOTOGRAPH = Image.fromarray(painted(3, 40, 30))
MODES = {"I;16": Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50), "RGBA": PHOTOGRAPH.copy()}
MODES["RGBA"].putalpha(100)
CORNERS = Image.new("RGB", (40, 30), "blue")
CORNERS.paste("red", (0, 0, 20, 10))
CORNERS.paste("lime", (30, 0, 40, 10))
FRAMES = {"save_all": True, "append_images": [PHOTOGRAPH.rotate(180)], "duration": 50}
READ = """async ([text, name, limits, more]) => {
    const { readImageFile } = await import("/images/image_file.js");
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const image = await readImageFile(new File([bytes], name), name, limits ?? undefined);
    const found = more ? await eval(more)(image) : {};
    const { file, shown, base64, ...facts } = image;
    return { ...facts, ...found };
}"""
COLOURS = """async (image) => {
    const { unturned } = await import("/images/oriented.js");
    const corners = async (file) => {
        const frame = await createImageBitmap(file);
        const { width, height } = frame;
        const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        canvas.drawImage(frame, 0, 0);
        const at = (x, y) => [...canvas.getImageData(x, y, 1, 1).data.slice(0, 3)].map((value) => value > 127);
        return [width, height, at(4, 4), at(width - 4, 4), at(4, height - 4), at(width - 4, height - 4)];
    };
    return { turned: await corners(image.shown), stored: await corners(await unturned(image)) };
}"""


@pytest.fixture(scope="module")
def read(browser: Browser) -> Iterator[Reader]:
    """Read a file as the page does; returns what it tells. `more` is a function of the image, in JavaScript."""
    with Tab(browser) as tab:
        page = open_modules(tab)

        def reader(data: bytes, name: str = "x", limits: Any = None, more: str = "") -> Any:
            return page.evaluate(READ, [base64.b64encode(data).decode(), name, limits, more])

        yield reader


@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        *[(form, "RGB", {}) for form in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")],
        ("JPEG", "CMYK", {}),
        ("JPEG", "L", {"progressive": True}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {"transparency": 0}),
        ("PNG", "I;16", {}),
        ("WEBP", "RGBA", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("TIFF", "I;16", {}),
        ("TIFF", "RGBA", {"big_tiff": True}),
        *[(form, "RGB", FRAMES) for form in ("GIF", "PNG", "WEBP", "TIFF")],
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else value,
)
def test_headers_tell_what_pillow_finds(read: Reader, form: str, mode: str, options: dict[str, Any]) -> None:
    data = encoded(MODES.get(mode) or PHOTOGRAPH.convert(mode), form, **options)
    found = read(data)
    assert found["refusal"] is None
    assert (found["format"].upper(), found["width"], found["height"], found["orientation"]) == (form, 40, 30, 1)
    assert found["bits"] == (16 if mode == "I;16" else 8)
    assert found["transparent"] == (mode == "RGBA" or "transparency" in options)
    moves = options is FRAMES and form != "TIFF"
    assert found["animated"] == moves
    notes = " ".join(found["notes"])
    assert ("first frame" in notes, "bits a channel" in notes) == (moves, mode == "I;16")
    assert ("colours stored beneath" in notes, "several pages" in notes) == (
        found["transparent"],
        options is FRAMES and form == "TIFF",
    )
    assert (found["url"] is None) == ("Browsers do not show" in notes) == (form == "TIFF")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "animated WEBP", "animated PNG", "JPEG by XMP", "WEBP by XMP"])
def test_browsers_turn_images_as_the_server_does(read: Reader, form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options: dict[str, Any] = {"exif": exif}
    if "XMP" in form:
        options = {"xmp": b'<x><rdf:Description tiff:Orientation="%d"/></x>' % orientation}
    if "WEBP" in form:
        options["lossless"] = True
    if "animated" in form:
        options |= {"save_all": True, "append_images": [CORNERS.rotate(180)], "duration": 50}
    data = encoded(CORNERS, form.removeprefix("animated ").removesuffix(" by XMP"), **options)
    assert read_header(data, LIMITS).orientation == orientation
    turned = CORNERS.copy()
    turned.info["exif"] = exif.tobytes()
    found = read(data, more=COLOURS)
    assert (found["orientation"], found["width"], found["height"]) == (orientation, 40, 30)
    assert found["turned"] == corners(ImageOps.exif_transpose(turned))
    assert found["stored"] == corners(CORNERS)


def corners(image: Image.Image) -> list[Any]:
    width, height = image.size
    places = [(4, 4), (width - 4, 4), (4, height - 4), (width - 4, height - 4)]
    pixels = np.asarray(image)
    return [width, height, *((pixels[y, x] > 127).tolist() for x, y in places)]


def test_a_tiff_is_turned_already(read: Reader) -> None:
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(PHOTOGRAPH, "TIFF", exif=exif)
    found = read(data)
    assert (
        (found["width"], found["height"], found["orientation"]) == (*read_header(data, LIMITS).size, 1) == (30, 40, 1)
    )


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "an SVG drawing"),
        (b"<svg/>", "an SVG drawing"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "an HTML page"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\0\0\0\x18ftypheic", "a HEIC image"),
        (b"\0\0\0\x1cftypavif", "an AVIF image"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"BM is how this text begins", "a text"),
        (b"", "an empty file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_image_by_its_bytes_is_refused_in_words(read: Reader, start: bytes, words: str) -> None:
    found = read(start, name="holiday.jpg")
    assert found["refusal"].startswith(f"This is {words}")
    assert "JPEG, PNG, WebP, GIF, BMP or TIFF" in found["refusal"]
    assert found["url"] is None


def test_an_image_is_shown_by_its_bytes_whatever_its_name(read: Reader) -> None:
    found = read(encoded(PHOTOGRAPH, "PNG"), name="drawing.svg")
    assert (found["mediaType"], found["refusal"]) == ("image/png", None)


def test_images_above_the_limits_are_refused_by_their_header(read: Reader) -> None:
    limits = {"max_body_bytes": 10**6, "max_image_bytes": 10**6, "max_image_pixels": 10**6}
    header = b"IHDR" + (2000).to_bytes(4) + (501).to_bytes(4) + b"\x08\x02\0\0\0"
    huge = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + header + zlib.crc32(header).to_bytes(4)
    found = read(huge, limits=limits)
    assert found["refusal"].startswith(
        "The image has 2,000 x 501 pixels, 1 million; this server takes up to 1 million."
    )
    assert found["url"] is None
    data = encoded(PHOTOGRAPH, "BMP")
    assert "takes up to 3 kB" in read(data, limits={**limits, "max_image_bytes": 3000})["refusal"]
    # base64 takes a third more, and the request some bytes beside it
    assert read(data, limits={**limits, "max_body_bytes": 70_000})["refusal"]
    assert read(data, limits={**limits, "max_body_bytes": 71_000})["refusal"] is None


def test_base64_is_made_once_and_right(read: Reader) -> None:
    data = encoded(Image.fromarray(painted(1, 700, 700)), "BMP")  # too large to be kept from reading the header
    more = "async (image) => ({ text: await image.base64(), same: image.base64() === image.base64() })"
    for each in (data, encoded(PHOTOGRAPH, "JPEG")):
        found = read(each, more=more)
        assert (base64.b64decode(found["text"]), found["same"]) == (each, True)


def test_no_bytes_break_the_readers_of_headers(read: Reader) -> None:
    exif = Image.Exif()
    exif[274] = 6
    kinds = [encoded(PHOTOGRAPH, form, exif=exif) for form in ("JPEG", "PNG", "WEBP", "TIFF")]
    kinds += [encoded(PHOTOGRAPH, "GIF", **FRAMES), encoded(PHOTOGRAPH, "BMP")]
    fuzz = """async (image) => {
        const { readImageFile } = await import("/images/image_file.js");
        const whole = new Uint8Array(await image.file.arrayBuffer());
        let seed = 1;
        const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
        let sane = 0;
        for (let round = 0; round < 150; round += 1) {
            const bytes = whole.slice(0, random(2) ? whole.length : random(whole.length));
            for (let change = random(6); bytes.length && change >= 0; change -= 1) {
                bytes[random(Math.min(bytes.length, random(3) ? 120 : bytes.length))] = random(256);
            }
            const found = await readImageFile(new Blob([bytes]), "x");
            sane += found.refusal !== null || (found.width > 0 && found.orientation >= 1 && found.orientation <= 8);
            URL.revokeObjectURL(found.url);
        }
        return { sane };
    }"""
    for kind in kinds:
        assert read(kind, more=fuzz)["sane"] == 150
