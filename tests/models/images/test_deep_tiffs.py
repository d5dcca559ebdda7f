"""TIFF files of more than 8 bits a sample, against the image of 8 bits that they were made from."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.errors import ImageError
from models.images.decoding import ImageLimits, decode
from tests.support.contract import contract
from tests.support.encodings.tiffs import COMPRESSIONS, tiff_file
from tests.support.images import LIMITS, Pixels, encoded, painted

WIDTH, HEIGHT = 37, 21
PAINTED = painted(4, WIDTH, HEIGHT)
TWIN = PAINTED[:, :, :1].copy()  # of 8 bits
TWIN[0, :16, 0] = np.arange(0, 256, 17)  # from black to white

Samples = NDArray[Any]


def decoded(data: bytes, limits: ImageLimits = LIMITS) -> Pixels:
    return np.asarray(decode(data, limits))


def refusal(data: bytes, limits: ImageLimits = LIMITS) -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, limits)
    assert caught.value.code == "image_unreadable"
    return str(caught.value)


def deepened(twin: Pixels, bits: int) -> Samples:
    """Return unsigned samples whose upper 8 bits are those of an image, and whose lower ones are odd."""
    odd = np.random.default_rng(bits).integers(0, 1 << (bits - 8), twin.shape, dtype=np.uint64)
    dtype = np.uint16 if bits <= 16 else np.uint32 if bits <= 32 else np.uint64
    return ((twin.astype(np.uint64) << np.uint64(bits - 8)) | odd).astype(dtype)


UNSIGNED = {f"{bits} bits": (deepened(TWIN, bits), bits) for bits in (9, 10, 12, 13, 14, 15, 16, 32, 64)}
SIGNED = {
    f"signed {bits} bits": ((deepened(TWIN, bits) ^ (1 << (bits - 1))).view(f"i{bits // 8}"), bits)
    for bits in (16, 32, 64)
}
POSITIVE = {f"positive {bits} bits": ((deepened(TWIN, bits) >> 1).view(f"i{bits // 8}"), bits) for bits in (16, 32, 64)}
NARROW = {
    **{f"0 to 255 in {np.dtype(dtype)}": (TWIN.astype(dtype), None) for dtype in ("u2", "u4", "u8", "i2", "i4", "i8")},
    **{f"0 to {(1 << bits) - 1} in 16 bits": (deepened(TWIN, bits), None) for bits in (9, 10, 11, 12)},
    "0 to 65535 in 32 bits": (deepened(TWIN, 16).astype(np.uint32), None),
    "0 to 65535 in signed 32 bits": (deepened(TWIN, 16).astype(np.int32), None),
}
FLOATING = {
    **{f"0 to 1 in {np.dtype(dtype)}": ((TWIN / 255).astype(dtype), None) for dtype in ("f4", "f8")},
    **{f"0 to 255 in {np.dtype(dtype)}": (TWIN.astype(dtype), None) for dtype in ("f4", "f8")},
    "0 to 65535 in float32": (deepened(TWIN, 16).astype(np.float32), None),
}
KINDS: dict[str, tuple[Samples, int | None]] = {**UNSIGNED, **SIGNED, **POSITIVE, **NARROW, **FLOATING}


@contract("Images and boxes", "Deep grey in a TIFF is cut off at 255", "better", "it keeps its contrast")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", "<>")
def test_deep_grey_keeps_the_contrast_of_its_twin(kind: str, order: str) -> None:
    samples, bits = KINDS[kind]
    expected = TWIN.repeat(3, 2)
    for compression, strip in itertools.product(COMPRESSIONS, (None, 1, 10)):
        options: dict[str, Any] = {"order": order, "bits": bits, "compression": compression, "strip": strip}
        black = decoded(tiff_file(samples, photometric=1, **options))
        assert np.array_equal(black, expected), compression
        white = decoded(tiff_file(samples, photometric=0, **options))
        assert np.array_equal(white, 255 - expected), compression


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("order", "<>")
def test_shades_are_those_that_opencv_reads(order: str, photometric: int) -> None:
    data = tiff_file(deepened(TWIN, 16), order=order, photometric=photometric)
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert theirs is not None
    # a release of OpenCV rounds where another cuts off
    assert np.abs(decoded(data).astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("order", "<>")
def test_few_bits_reach_from_black_to_white(bits: int, order: str) -> None:
    most = (1 << bits) - 1
    samples = (TWIN >> (8 - bits)).astype(np.uint8)
    for photometric, fill_order in itertools.product((0, 1), (1, 2)):
        options: dict[str, Any] = {"order": order, "bits": bits, "strip": 10, "fill_order": fill_order}
        found = decoded(tiff_file(samples, photometric=photometric, **options))
        expected = samples.astype(int) * 255 // most
        expected = (255 - expected if photometric == 0 else expected).repeat(3, 2)
        assert np.array_equal(found, expected), (photometric, fill_order)


def arrangements() -> Iterator[tuple[str, dict[str, Any]]]:
    for order, compression, planar in itertools.product("<>", COMPRESSIONS, (False, True)):
        for name, blocks in {"one strip": {}, "strips": {"strip": 7}, "tiles": {"tile": 16}}.items():
            options = {"order": order, "compression": compression, "planar": planar, **blocks}
            yield f"{order} {compression} {name}{' planar' * planar}", options


@pytest.mark.parametrize("dtype", ["u2", "u4", "i2", "f4"])
def test_colours_in_every_arrangement(dtype: str) -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 40, np.uint8)
    deep: Callable[[Pixels], Samples] = {
        "u2": lambda twin: deepened(twin, 16),
        "u4": lambda twin: deepened(twin, 32),
        "i2": lambda twin: (deepened(twin, 16) ^ 32768).view(np.int16),
        "f4": lambda twin: (twin / 255).astype(np.float32),
    }[dtype]
    twin = PAINTED.copy()
    twin[:2, :2] = np.array([0, 255])[:, None, None]
    for name, options in arrangements():
        found = decoded(tiff_file(deep(twin), photometric=2, **options))
        assert np.array_equal(found, twin), name
        with_alpha = deep(np.concatenate([twin, alpha], 2))
        found = decoded(tiff_file(with_alpha, photometric=2, extra=(2,), **options))
        assert np.array_equal(found, twin), f"{name} with alpha"
        grey = deep(np.concatenate([TWIN, alpha], 2))
        found = decoded(tiff_file(grey, photometric=1, extra=(2,), **options))
        assert np.array_equal(found, TWIN.repeat(3, 2)), f"{name} grey with alpha"


@pytest.mark.parametrize(
    ("compression", "predictor"),
    [
        *itertools.product(["tiff_lzw", "tiff_adobe_deflate", "zstd"], [1, 2, 3]),
        *itertools.product(["packbits", "lzma", "raw"], [1]),
    ],
)
def test_files_that_libtiff_wrote(compression: str, predictor: int) -> None:
    info = {} if predictor == 1 else {317: predictor}
    deep = deepened(TWIN, 16)[:, :, 0]
    images = {"I;16": deep, "I": TWIN[:, :, 0].astype(np.int32), "F": (TWIN[:, :, 0] / 255).astype(np.float32)}
    if predictor == 3:
        images = {"F": images["F"]}
    for mode, samples in images.items():
        image = Image.fromarray(samples)
        assert image.mode == mode
        data = encoded(image, "TIFF", compression=compression, tiffinfo=info)
        assert np.array_equal(decoded(data), TWIN.repeat(3, 2)), mode


def test_files_of_the_long_form() -> None:
    for image in (Image.fromarray(deepened(TWIN, 16)[:, :, 0]), Image.fromarray(TWIN[:, :, 0])):
        data = encoded(image, "TIFF", big_tiff=True)
        assert data[2] == 43
        assert np.array_equal(decoded(data), TWIN.repeat(3, 2))


def test_cmyk_of_16_bits_in_planes_is_that_of_one_plane() -> None:
    ink = np.concatenate([PAINTED, TWIN // 4], 2)
    whole = decoded(tiff_file(deepened(ink, 16), photometric=5))
    assert np.array_equal(whole, decoded(tiff_file(deepened(ink, 16), photometric=5, planar=True)))
    assert np.array_equal(whole, np.asarray(Image.fromarray(ink, "CMYK").convert("RGB")))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("used", [8, 9, 12, 16])
def test_a_file_of_16_bits_of_which_fewer_are_in_use_is_not_black(form: str, used: int) -> None:
    data = encoded(Image.fromarray(deepened(TWIN, used)[:, :, 0]), form)
    assert np.array_equal(decoded(data), TWIN.repeat(3, 2))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_a_dim_image_of_16_bits_stays_dim(form: str) -> None:
    data = encoded(Image.fromarray(deepened(TWIN // 8, 16)[:, :, 0]), form)
    assert np.array_equal(decoded(data), (TWIN // 8).repeat(3, 2))


def test_a_palette_with_colours_of_8_bits_where_16_are_due_is_not_black() -> None:
    image = Image.fromarray(PAINTED).quantize(200)
    data = bytearray(encoded(image, "TIFF"))
    palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    colours = np.zeros((3, 256), "<u2")
    colours[:, : len(palette)] = palette.T
    wide = (colours * 256).astype("<u2").tobytes()
    at = bytes(data).find(wide)
    assert at > 0
    data[at : at + len(wide)] = colours.tobytes()
    assert np.array_equal(decoded(bytes(data)), np.asarray(image.convert("RGB")))


RAMP = np.linspace(0, 1, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH, 1)
UNKNOWN: dict[str, tuple[Samples, str]] = {
    "Hounsfield units": ((RAMP * 4095 - 1024).astype(np.int16), "16-bit signed integers from -1024 to 3071"),
    "32 bits up to a million": ((RAMP * 1e6).astype(np.uint32), "32-bit unsigned integers from 0 to 1e+06"),
    "floats around zero": ((RAMP * 2 - 1).astype(np.float32), "32-bit floating-point numbers from -1 to 1"),
    "floats up to 3": ((RAMP * 3).astype(np.float64), "64-bit floating-point numbers from 0 to 3"),
    "no number": (np.where(RAMP > 0.5, np.nan, RAMP).astype(np.float32), "from nan to nan"),
    "infinity": (np.where(RAMP > 0.5, np.inf, RAMP).astype(np.float32), "to inf"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_samples_without_a_known_black_and_white_are_refused(kind: str) -> None:
    samples, expected = UNKNOWN[kind]
    message = refusal(tiff_file(samples))
    assert expected in message
    assert "Send it with 8 bits a channel" in message


UNREAD = {
    "16-bit floating-point numbers": tiff_file(RAMP.astype(np.float16)),
    "PhotometricInterpretation 8": tiff_file(np.zeros((4, 4, 3), np.uint16), photometric=8),
    "5 a pixel of 8-bit unsigned": tiff_file(np.zeros((4, 4, 5), np.uint8), extra=(0, 0, 0, 0)),
    "PhotometricInterpretation 2": tiff_file(np.zeros((4, 4, 4), np.float32), photometric=2, extra=(1,)),
    "Compression 4": tiff_file(deepened(TWIN, 16)).replace(b"\x03\1\3\0\1\0\0\0\1\0", b"\x03\1\3\0\1\0\0\0\4\0"),
}


@pytest.mark.parametrize("kind", UNREAD)
def test_kinds_that_are_not_read_are_named(kind: str) -> None:
    message = refusal(UNREAD[kind])
    assert kind in message
    assert "a kind that this server does not read" in message or "of a kind that this server does not read" in message


def test_a_deep_tiff_that_is_cut_off_or_has_too_large_strips_is_refused() -> None:
    for compression in COMPRESSIONS:
        data = tiff_file(deepened(TWIN, 16), compression=compression)
        assert "TIFF picture is damaged or incomplete" in refusal(data[: len(data) * 2 // 3])
    large = tiff_file(np.zeros((1500, 1500, 1)), compression="deflate")
    assert "has strips or tiles of 18000000 bytes; this server reads up to 16777216" in refusal(
        large, ImageLimits(10**7, 1500 * 1500)
    )
    assert decoded(large).shape == (1500, 1500, 3)
