import resource
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import ImageError
from models.images.decoding import FORMATS, ImageLimits, decode
from tests.support.contract import contract
from tests.support.costly_images import PNG, chunk, end
from tests.support.images import Pixels, encoded, painted

LIMITS = ImageLimits(max_bytes=10**6, max_pixels=10**6)
PIXELS = painted(1, 60, 40)
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}
TURNED = Image.Exif()
TURNED[0x0112] = 6  # to be shown rotated by 90 degrees


def pixels_of(data: bytes | memoryview, limits: ImageLimits = LIMITS) -> Pixels:
    image = decode(data, limits)
    assert image.mode == "RGB"
    return np.asarray(image)


def error_of(data: bytes, limits: ImageLimits = LIMITS) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(data, limits)
    return caught.value


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """Write a PNG by hand, for what Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + end()


@pytest.mark.parametrize("form", LOSSLESS)
def test_lossless_formats_give_the_very_pixels(form: str) -> None:
    assert np.array_equal(pixels_of(encoded(PIXELS, form, **LOSSLESS[form])), PIXELS)


@pytest.mark.parametrize(
    ("form", "options"),
    [("JPEG", {"quality": 95}), ("JPEG", {"progressive": True}), ("WEBP", {"quality": 90}), ("GIF", {})],
    ids=["jpeg", "progressive jpeg", "webp", "gif"],
)
def test_lossy_formats_come_close(form: str, options: dict[str, int]) -> None:
    found = pixels_of(encoded(PIXELS, form, **options))
    assert found.shape == PIXELS.shape
    assert np.abs(found.astype(int) - PIXELS).mean() < 12


@contract("Images and boxes", "Of several frames the first counts")
def test_the_first_frame_counts() -> None:
    frames = [Image.fromarray(painted(seed, 60, 40)).quantize(64) for seed in (1, 2, 3)]
    for form in ("GIF", "PNG", "WEBP"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        expected = np.asarray(frames[0].convert("RGB")).astype(int)
        assert np.abs(pixels_of(data) - expected).mean() < 12, form


def test_a_phones_jpeg_with_a_second_image_is_a_jpeg() -> None:
    data = encoded(PIXELS, "MPO", save_all=True, append_images=[Image.fromarray(painted(2, 60, 40))])
    with Image.open(BytesIO(data)) as image:
        assert image.format == "MPO"
    assert np.array_equal(pixels_of(data), pixels_of(encoded(PIXELS, "JPEG")))


def test_bytes_and_views_are_read_alike() -> None:
    data = encoded(PIXELS, "JPEG")
    assert np.array_equal(pixels_of(memoryview(data)), pixels_of(data))


GREY = Image.fromarray(PIXELS).convert("L")
MODES = {
    "1-bit": (Image.new("1", (4, 4), 1), [255, 255, 255]),
    "grey": (Image.new("L", (4, 4), 77), [77, 77, 77]),
    "grey and alpha": (Image.new("LA", (4, 4), (77, 0)), [77, 77, 77]),
    "alpha": (Image.new("RGBA", (4, 4), (10, 20, 30, 0)), [10, 20, 30]),
    "half alpha": (Image.new("RGBA", (4, 4), (10, 20, 30, 128)), [10, 20, 30]),
    "palette": (Image.new("RGB", (4, 4), (10, 20, 30)).quantize(2), [10, 20, 30]),
}


@contract("Images and boxes", "Images become RGB, alpha is dropped")
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_rgb_and_alpha_is_dropped(mode: str) -> None:
    image, expected = MODES[mode]
    assert pixels_of(encoded(image, "PNG"))[0, 0].tolist() == expected


@pytest.mark.parametrize("transparency", [0, bytes([0, 128, 255])], ids=["one colour", "a table"])
def test_a_palette_with_transparency_keeps_its_colours(transparency: int | bytes) -> None:
    image = Image.fromarray(PIXELS).quantize(16)
    data = encoded(image, "PNG", transparency=transparency)
    assert np.array_equal(pixels_of(data), np.asarray(image.convert("RGB")))


def test_a_cmyk_jpeg_has_its_colours() -> None:
    cyan = encoded(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG")
    assert np.abs(pixels_of(cyan)[4, 4].astype(int) - [0, 255, 255]).max() < 8


@contract("Images and boxes", "Grey of 16 bits turns white", "better", "it keeps its contrast")
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_contrast(form: str) -> None:
    deep = np.asarray(GREY).astype(np.uint16) * 256 + 17
    found = pixels_of(encoded(Image.fromarray(deep), form))
    assert np.array_equal(found, np.repeat(np.asarray(GREY)[:, :, None], 3, axis=2))


@pytest.mark.parametrize(
    ("colour", "row", "expected"),
    [
        (2, b"\x80\x01\x40\x02\x20\x03", [128, 64, 32]),
        (6, b"\x80\x01\x40\x02\x20\x03\x00\x00", [128, 64, 32]),
        (4, b"\x80\x01\x00\x00", [128, 128, 128]),
        (0, b"\x80\x01", [128, 128, 128]),
    ],
    ids=["rgb", "rgba", "grey and alpha", "grey"],
)
def test_16_bits_a_channel_keep_the_high_byte(colour: int, row: bytes, expected: list[int]) -> None:
    assert pixels_of(png(1, 1, 16, colour, b"\x00" + row))[0, 0].tolist() == expected


@contract("Images and boxes", "EXIF rotation is not applied, but for yolov5")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_rotation_is_not_applied(form: str) -> None:
    turned, plain = encoded(PIXELS, form, exif=TURNED), encoded(PIXELS, form)
    assert turned != plain
    assert np.array_equal(pixels_of(turned), pixels_of(plain))


def test_a_tiff_alone_is_rotated_because_pillow_does_so_on_loading() -> None:
    found = pixels_of(encoded(PIXELS, "TIFF", exif=TURNED))
    assert np.array_equal(found, np.rot90(PIXELS, -1))


def test_metadata_that_pillow_warns_of_is_no_error() -> None:
    data = encoded(PIXELS, "TIFF")
    bent = data.replace(
        struct.pack("<HHI", 259, 3, 1), struct.pack("<HHI", 259, 3, 2)
    )  # two compressions instead of one
    assert bent != data
    assert pixels_of(bent).shape == PIXELS.shape


def test_the_limit_on_bytes_is_exact_and_checked_first() -> None:
    data = encoded(PIXELS, "PNG")
    assert pixels_of(data, ImageLimits(len(data), 10**6)).shape == PIXELS.shape
    for large in (data, bytes(len(data))):
        error = error_of(large, ImageLimits(len(data) - 1, 10**6))
        assert error.code == "image_too_large"
        assert f"has {len(data)} bytes; this server accepts up to {len(data) - 1}" in str(error)


def test_the_limit_on_pixels_is_exact() -> None:
    data = encoded(PIXELS, "PNG")
    assert pixels_of(data, ImageLimits(10**6, 2400)).shape == PIXELS.shape
    error = error_of(data, ImageLimits(10**6, 2399))
    assert error.code == "image_too_large"
    assert "is 60x40 pixels; this server accepts up to 2399 pixels" in str(error)


def claiming(form: str, side: int) -> bytes:
    """Take a small image and write a large size into its header."""
    data = bytearray(encoded(PIXELS, form))
    if form == "PNG":
        return png(side, side, 8, 2, b"")
    if form == "JPEG":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, side, side)
    elif form == "GIF":
        struct.pack_into("<HH", data, 6, side, side)
    elif form == "BMP":
        struct.pack_into("<ii", data, 18, side, side)
    elif form == "TIFF":
        for entry in range(10, 10 + 12 * data[8], 12):
            if bytes(data[entry : entry + 2]) in (b"\x00\x01", b"\x01\x01"):  # width and height
                struct.pack_into("<HII", data, entry + 2, 4, 1, side)
    else:  # the canvas of an animation, which may be larger than its frames
        frame = bytes(6) + b"".join((size - 1).to_bytes(3, "little") for size in (60, 40)) + bytes(4)
        frame += encoded(PIXELS, form, lossless=True)[12:]
        canvas = b"\x02\0\0\0" + (side - 1).to_bytes(3, "little") * 2
        chunks = ((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", frame))
        body = b"WEBP" + b"".join(name + struct.pack("<I", len(part)) + part for name, part in chunks)
        return b"RIFF" + struct.pack("<I", len(body)) + body
    return bytes(data)


@pytest.mark.parametrize("form", FORMATS)
def test_a_header_that_claims_a_large_image_costs_nothing(form: str) -> None:
    data = claiming(form, 50_000)
    before = resource.getrusage(resource.RUSAGE_SELF)
    error = error_of(data, ImageLimits(10**6, 10**8))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert error.code == "image_too_large"
    assert "50000x50000" in str(error)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.2
    assert after.ru_maxrss - before.ru_maxrss < 64 * 1024  # KiB; the pixels would take 7 GB


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_a_truncated_image_is_refused(form: str, share: float) -> None:
    data = encoded(PIXELS, form)
    error = error_of(data[: int(len(data) * share)])
    assert error.code in ("image_unreadable", "image_format")
    if share >= 0.5:
        assert error.code == "image_unreadable"


def test_an_image_that_breaks_off_says_so() -> None:
    data = encoded(painted(1, 300, 200), "JPEG")
    message = str(error_of(data[: len(data) // 2]))
    for part in ("The JPEG picture is damaged or incomplete", "truncated", "Send it again whole."):
        assert part in message


LARGE = ImageLimits(max_bytes=10**7, max_pixels=10**7)


def test_a_large_jpeg_may_be_decoded_no_larger_than_it_has_to_be() -> None:
    data, scaled = encoded(painted(5, 1640, 1230), "JPEG"), replace(LARGE, scaled=True)
    for enough, size in (
        (1230, (1640, 1230)),
        (616, (1640, 1230)),
        (615, (820, 615)),
        (300, (410, 308)),
        (1, (205, 154)),
    ):
        assert decode(data, scaled, enough=enough).size == size
    assert decode(data, scaled).size == decode(data, LARGE, enough=100).size == (1640, 1230)
    small = np.asarray(decode(data, scaled, enough=300).resize((205, 154)), np.float32)
    full = np.asarray(decode(data, LARGE).resize((205, 154)), np.float32)
    assert np.abs(small - full).mean() < 3, "the same picture"
    assert decode(encoded(painted(5, 800, 600), "PNG"), scaled, enough=100).size == (800, 600), "only JPEGs can"


def test_no_bytes() -> None:
    assert error_of(b"").code == "image_empty"
    assert error_of(b"", ImageLimits(0, 0)).code == "image_empty"


@pytest.mark.parametrize(
    "data",
    [
        b"hello, this is a text and not a picture",
        b"\x00",
        bytes(1000),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n1 0 0 setrgbcolor\n",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        b"%PDF-1.7\n",
        encoded(PIXELS, "PPM"),
        encoded(PIXELS, "TGA"),
        encoded(PIXELS, "ICO"),
        encoded(PIXELS, "PDF"),
    ],
    ids=["text", "one byte", "zeros", "eps", "svg", "pdf", "ppm", "tga", "ico", "a picture in a pdf"],
)
def test_other_files_are_refused_with_their_first_bytes(data: bytes) -> None:
    error = error_of(data)
    assert error.code == "image_format"
    assert repr(data[:8]) in str(error)
    assert "JPEG, PNG, WebP, BMP, GIF or TIFF" in str(error)


def samples() -> Iterator[bytes]:
    small = painted(3, 24, 16)
    image = Image.fromarray(small)
    for form in FORMATS:
        yield encoded(small, form)
    yield encoded(small, "PNG", exif=TURNED)
    yield encoded(small, "JPEG", progressive=True, exif=TURNED)
    yield encoded(image.convert("CMYK"), "JPEG")
    yield encoded(image.quantize(8), "PNG", transparency=0)
    yield encoded(image.convert("RGBA"), "WEBP", save_all=True, append_images=[image.rotate(90)])
    yield encoded(image.quantize(8), "GIF", save_all=True, append_images=[image.rotate(90).quantize(8)])
    yield encoded(image, "MPO", save_all=True, append_images=[image])
    yield encoded(image.quantize(8), "BMP")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield encoded(small, "TIFF", compression=compression, exif=TURNED)
    yield encoded(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 255), "PNG")


SAMPLES = list(samples())


def decodes_or_refuses(data: bytes) -> None:
    try:
        image = decode(data, LIMITS)
    except ImageError as error:
        assert error.code in ("image_empty", "image_format", "image_unreadable", "image_too_large")
        return
    assert image.mode == "RGB"
    assert np.asarray(image).shape == (image.height, image.width, 3)


@given(st.binary(max_size=300))
@example(b"\xff\xd8\xff")
@example(b"\x89PNG\r\n\x1a\n")
@example(b"RIFF\x04\x00\x00\x00WEBP")
@example(b"II*\x00\x08\x00\x00\x00")
@example(b"BM")
@example(b"GIF89a")
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    decodes_or_refuses(data)


@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    st.booleans(),
)
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.large_base_example])
def test_a_bent_image_decodes_or_is_refused(sample: bytes, changes: list[tuple[float, int]], early: bool) -> None:
    data = bytearray(sample)
    for place, value in changes:  # headers are where the surprises are
        data[int(place * (min(len(data), 120) if early else len(data)))] = value
    decodes_or_refuses(bytes(data))
