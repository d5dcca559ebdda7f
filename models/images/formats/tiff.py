"""TIFF files: what their directory says of the pixels, and files with nothing but pixels for Pillow to decode."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from models.images.formats.tiff_directory import ByteOrder, TiffDirectory, TiffField
from models.images.sample_scale import SampleType

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _SAMPLES, _STRIP_ROWS, _STRIP_BYTES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_COLOURS, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _EXTRA, _FORMAT = 320, 322, 323, 324, 325, 338, 339
_NUMBERS = {_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _SAMPLES, _STRIP_ROWS, _PLANAR, _PREDICTOR}
_NUMBERS |= {_TILE_WIDTH, _TILE_HEIGHT}
_LISTS = {_BITS, _STRIP_OFFSETS, _STRIP_BYTES, _COLOURS, _TILE_OFFSETS, _TILE_BYTES, _EXTRA, _FORMAT}
# and options of fax, tables of JPEG, and how colours are stored
_LISTS |= {292, 293, 332, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532}
_LONG = 4
_FORMS: dict[int, Literal["unsigned", "signed", "float"]] = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, _PALETTE, CMYK = 0, 1, 2, 3, 5


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """How the samples of a TIFF file are stored: sizes in pixels, in blocks that are strips or tiles.

    `offsets` is where the blocks are, `lengths` how many bytes each has: integer arrays.
    """

    width: int
    height: int
    bits: tuple[int, ...]
    form: Literal["unsigned", "signed", "float"]
    samples: int
    photometric: int
    compression: int
    predictor: int
    planar: bool
    extra: tuple[int, ...]
    tiled: bool
    block_width: int
    block_height: int
    offsets: NDArray[Any]
    lengths: NDArray[Any]
    fill_order: int
    order: ByteOrder

    def __str__(self) -> str:
        kinds = " and ".join(str(SampleType(bits, self.form)) for bits in sorted(set(self.bits)))
        return (
            f"{self.samples} a pixel of {kinds}, PhotometricInterpretation {self.photometric}, "
            f"Compression {self.compression}"
        )

    @property
    def is_deep(self) -> bool:
        """Whether Pillow has no table for these samples, or one that loses their contrast."""
        if self.photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK) or len(set(self.bits)) != 1:
            return False
        if self.form == "unsigned" and self.bits[0] in (1, 2, 4, 8):
            return False
        chunky = not self.planar and self.form == "unsigned" and self.bits[0] == 16
        return not (chunky and self.photometric in (RGB, CMYK))


def read_layout(directory: TiffDirectory) -> TiffLayout:
    """Return how the samples of a TIFF file are stored; ValueError where its directory does not say so."""
    if not {_WIDTH, _HEIGHT} <= directory.fields.keys():
        raise ValueError("its directory says no width and height")
    width, height = directory.integer(_WIDTH, 0), directory.integer(_HEIGHT, 0)
    if width < 1 or height < 1:
        raise ValueError(f"it is {width}x{height} pixels")
    tiled = _TILE_OFFSETS in directory.fields
    bits = tuple(map(int, directory.integers(_BITS)[:16])) or (1,)
    samples = directory.integer(_SAMPLES, len(bits))
    return TiffLayout(
        width,
        height,
        bits * samples if len(bits) == 1 and samples <= 16 else bits,
        _FORMS.get(directory.integer(_FORMAT, 1), "unsigned"),
        samples,
        directory.integer(_PHOTOMETRIC, WHITE_IS_ZERO),
        directory.integer(_COMPRESSION, 1),
        directory.integer(_PREDICTOR, 1),
        directory.integer(_PLANAR, 1) == 2 and samples > 1,
        tuple(map(int, directory.integers(_EXTRA)[:16])),
        tiled,
        directory.integer(_TILE_WIDTH, width) if tiled else width,
        directory.integer(_TILE_HEIGHT, height) if tiled else min(directory.integer(_STRIP_ROWS, height), height),
        directory.integers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS),
        directory.integers(_TILE_BYTES if tiled else _STRIP_BYTES),
        directory.integer(_FILL_ORDER, 1),
        directory.order,
    )


def without_other_tags(data: bytes, directory: TiffDirectory) -> bytes:
    """Return a TIFF file with what Pillow needs for the pixels of its first image, and no metadata or further images.

    ValueError where the values of a tag are cut off.
    """
    fields = {
        tag: directory.first(tag) if tag in _NUMBERS else field
        for tag, field in directory.fields.items()
        if tag in _NUMBERS or tag in _LISTS
    }
    packed = directory.packed(fields)
    parts = [(directory.start, packed)]
    colours = directory.integers(_COLOURS)
    if len(colours) and colours.dtype.itemsize == 2 and colours.max() <= 255:
        # written with 8 bits where 16 are due
        (place,) = struct.unpack(directory.order + "I", directory.fields[_COLOURS].inline[:4])
        parts.append((place, (colours * 257).astype(colours.dtype).tobytes()))
    file: list[bytes | memoryview] = []
    at = 0
    for place, part in sorted(parts):
        file += [memoryview(data)[at:place], part]
        at = place + len(part)
    return b"".join([*file, memoryview(data)[at:]])


def plain_grey(
    strips: Sequence[bytes], *, width: int, height: int, strip_height: int, compression: int, fill_order: int
) -> bytes:
    """Return a TIFF file of 8 bits of grey a pixel, of strips that are compressed already."""
    lengths = [len(strip) for strip in strips]
    lists = 8 + sum(lengths)
    count = len(strips)
    places = [8 + sum(lengths[:number]) for number in range(count)]
    start = lists + 2 * 4 * count
    numbers = {
        _WIDTH: width,
        _HEIGHT: height,
        _BITS: 8,
        _COMPRESSION: compression,
        _PHOTOMETRIC: BLACK_IS_ZERO,
        _FILL_ORDER: fill_order,
        _SAMPLES: 1,
        _STRIP_ROWS: strip_height,
    }
    fields = {tag: TiffField(_LONG, 1, struct.pack("<I", value)) for tag, value in numbers.items()}
    for tag, values, place in ((_STRIP_OFFSETS, places, lists), (_STRIP_BYTES, lengths, lists + 4 * count)):
        fields[tag] = TiffField(_LONG, count, struct.pack("<I", values[0] if count == 1 else place))
    listed = struct.pack(f"<{2 * count}I", *places, *lengths)
    packed = TiffDirectory(b"", "<", {}, start=start, long=False).packed(fields)
    return b"".join([struct.pack("<2sHI", b"II", 42, start), *strips, listed, packed])
