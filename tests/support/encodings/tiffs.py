"""TIFF files of every depth, type and arrangement of samples, written by hand."""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.encodings.exif import Field, tiff_block

COMPRESSIONS = {"none": 1, "deflate": 8, "old deflate": 32946, "packed bits": 32773}
FORMS = {"u": 1, "i": 2, "f": 3}


def tiff_file(
    samples: NDArray[Any],
    *,
    order: str = "<",
    bits: int | None = None,
    photometric: int = 1,
    compression: str = "none",
    planar: bool = False,
    strip: int | None = None,
    tile: int | None = None,
    fill_order: int = 1,
    extra: tuple[int, ...] = (),
) -> bytes:
    """Write samples [height, width, channels], of `bits` (those of their type, or fewer) each, as a TIFF file.

    `strip` is the rows of a strip, `tile` the side of a tile; `fill_order` 2 turns the bits of each byte round.
    """
    height, width, channels = samples.shape
    bits = bits or 8 * samples.itemsize
    planes = [samples[:, :, [channel]] for channel in range(channels)] if planar else [samples]
    blocks = []
    for plane in planes:
        high, wide = (tile, tile) if tile else (strip or height, width)
        for top in range(0, height, high):
            for left in range(0, width, wide):
                block = plane[top : top + high, left : left + wide]
                if tile:
                    block = np.pad(block, [(0, tile - block.shape[0]), (0, tile - block.shape[1]), (0, 0)])
                blocks.append(_compressed(_packed(block, bits, order, fill_order), compression))
    form = FORMS[samples.dtype.kind]

    def field(tag: int, *values: int) -> Field:
        return tag, 4, len(values), struct.pack(f"{order}{len(values)}I", *values)

    def shorts(tag: int, *values: int) -> Field:
        return tag, 3, len(values), struct.pack(f"{order}{len(values)}H", *values)

    def fields(first: int) -> list[Field]:
        offsets = [first + sum(map(len, blocks[:number])) for number in range(len(blocks))]
        where, lengths = (324, 325) if tile else (273, 279)
        sizes = [field(322, tile), field(323, tile)] if tile else [field(278, strip or height)]
        return sorted(
            [
                field(256, width),
                field(257, height),
                shorts(258, *[bits] * channels),
                shorts(259, COMPRESSIONS[compression]),
                shorts(262, photometric),
                shorts(266, fill_order),
                field(where, *offsets),
                shorts(277, channels),
                *sizes,
                field(lengths, *map(len, blocks)),
                shorts(284, 2 if planar else 1),
                *([shorts(338, *extra)] if extra else []),
                shorts(339, *[form] * channels),
            ]
        )

    head = len(tiff_block(order, fields(0)))
    return tiff_block(order, fields(head)) + b"".join(blocks)


def _packed(block: NDArray[Any], bits: int, order: str, fill_order: int) -> list[bytes]:
    """Return the rows of a block."""
    if bits == 8 * block.itemsize:
        rows = [row.astype(row.dtype.newbyteorder(order)).tobytes() for row in block]
    else:
        rows = []
        for row in block:
            digits = "".join(f"{int(value):0{bits}b}" for value in row.ravel())
            digits += "0" * (-len(digits) % 8)
            rows.append(int(digits, 2).to_bytes(len(digits) // 8, "big"))
    if fill_order == 2:
        rows = [bytes(int(f"{byte:08b}"[::-1], 2) for byte in row) for row in rows]
    return rows


def _compressed(rows: list[bytes], compression: str) -> bytes:
    if compression == "none":
        return b"".join(rows)
    if compression == "packed bits":  # in pieces that are not repeated
        pieces = [row[at : at + 128] for row in rows for at in range(0, len(row), 128)]
        return b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
    return zlib.compress(b"".join(rows))
