"""The samples of TIFF files that Pillow does not read, or not with their contrast: deep, signed, floating-point.

Pillow undoes the compression of some blocks at a time: it is given their bytes as a grey image. The rest is done here.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from models.errors import ImageError
from models.images.formats.tiff import CMYK, RGB, WHITE_IS_ZERO, TiffLayout, plain_grey
from models.images.sample_scale import SampleType, scale_of

_NONE, _DIFFERENCES, _FLOAT_DIFFERENCES = 1, 2, 3
_COMPRESSIONS = {_NONE, 5, 8, 32773, 32946, 34925, 50000}  # LZW, deflate, packed bits, LZMA and Zstandard
_WHOLE = {8, 16, 32, 64}
_BITS = {"unsigned": {*range(1, 17), 32, 64}, "signed": _WHOLE, "float": {32, 64}}
_MOST_SAMPLES = 16
_BAND = 4 * 2**20  # bytes that are worked on at a time
_ASSOCIATED = 1  # alpha that colours were multiplied by
_CHANNELS, _MODES = {RGB: 3, CMYK: 4}, {1: "L", 3: "RGB", 4: "CMYK"}

Rows = NDArray[np.uint8]
Samples = NDArray[Any]


def decode_samples(data: bytes, layout: TiffLayout, most_block: int) -> Image.Image:
    """Decode a TIFF file whose samples `layout.is_deep` to an image of mode L, RGB or CMYK, by `scale_of`.

    It is read twice, for the extremes and for the pixels, so that memory holds the image of 8 bits a channel, one block
    (of at most `most_block` bytes) and a few times 4 MiB. ImageError `image_unreadable` where samples are of a kind
    that is not read; OSError or ValueError where the file is damaged.
    """
    if not _is_read(layout):
        raise ImageError(
            "image_unreadable",
            f"The TIFF picture has {layout}: a kind that this server does not read. Send it with 8 bits a channel.",
        )
    if layout.block_height * _row_bytes(layout) > most_block:
        raise ImageError(
            "image_unreadable",
            f"The TIFF picture has strips or tiles of {layout.block_height * _row_bytes(layout)} bytes; this server "
            f"reads up to {most_block}. Save it with smaller ones.",
        )
    low, high = np.inf, -np.inf
    for _, _, _, values in _parts(data, layout):
        # not the built-in functions, which lose what is no number
        low, high = np.minimum(low, values.min()), np.maximum(high, values.max())
    scale = scale_of(SampleType(layout.bits[0], layout.form), low, high)
    channels = _CHANNELS.get(layout.photometric, 1)
    pixels = np.empty((layout.height, layout.width, channels), np.uint8)
    for top, left, plane, values in _parts(data, layout):
        rows, columns, count = values.shape
        pixels[top : top + rows, left : left + columns, plane : plane + count] = scale(values)
    if layout.photometric == WHITE_IS_ZERO:
        np.subtract(255, pixels, out=pixels)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, _MODES[channels])


def _is_read(layout: TiffLayout) -> bool:
    return (
        layout.compression in _COMPRESSIONS
        and layout.bits[0] in _BITS[layout.form]
        and len(layout.bits) == layout.samples
        and _CHANNELS.get(layout.photometric, 1) <= layout.samples <= _MOST_SAMPLES
        and _ASSOCIATED not in layout.extra
        and (layout.predictor == _NONE or layout.bits[0] in _WHOLE)
    )


def _row_bytes(layout: TiffLayout) -> int:
    """Return how many bytes a row of a block has without compression."""
    return -(-layout.block_width * (1 if layout.planar else layout.samples) * layout.bits[0] // 8)


def _parts(data: bytes, layout: TiffLayout) -> Iterator[tuple[int, int, int, Samples]]:
    """Yield the samples of colours, not of alpha, in parts: top, left, the first channel, values [h, w, channels]."""
    channels = _CHANNELS.get(layout.photometric, 1)
    across, down = -(-layout.width // layout.block_width), -(-layout.height // layout.block_height)
    row_bytes = _row_bytes(layout)
    together = max(1, _BAND // (layout.block_height * row_bytes)) if across == 1 else 1
    for plane in range(channels if layout.planar else 1):
        for number in range(0, across * down, together):
            top, left = number // across * layout.block_height, number % across * layout.block_width
            blocks = np.arange(number, min(number + together, across * down)) + plane * across * down
            full = layout.block_height * len(blocks)
            rows = full if layout.tiled else min(full, layout.height - top)
            for band in _bands(data, layout, blocks, rows):
                values = _values(band, layout)[: layout.height - top, : layout.width - left, :channels]
                if values.size:
                    yield top, left, plane, values
                top += len(band)


def _bands(data: bytes, layout: TiffLayout, blocks: NDArray[np.intp], rows: int) -> Iterator[Rows]:
    """Yield the bytes of some blocks below each other, without compression, as rows: uint8 [at most 4 MiB, row]."""
    if len(layout.offsets) <= blocks[-1] or (layout.compression != _NONE and len(layout.lengths) <= blocks[-1]):
        raise ValueError(f"it has {len(layout.offsets)} strips or tiles, of which number {blocks[-1] + 1} is needed")
    row_bytes = _row_bytes(layout)
    step = max(1, _BAND // row_bytes)
    if layout.compression != _NONE:
        strips = [data[int(layout.offsets[block]) :][: int(layout.lengths[block])] for block in blocks]
        file = plain_grey(
            strips,
            width=row_bytes,
            height=rows,
            strip_height=layout.block_height,
            compression=layout.compression,
            fill_order=layout.fill_order,
        )
        with TiffImagePlugin.TiffImageFile(BytesIO(file)) as image:
            for top in range(0, rows, step):
                yield np.asarray(image.crop((0, top, row_bytes, min(top + step, rows))))
        return
    for block in blocks:
        high = min(layout.block_height, rows)
        rows -= high
        for top in range(0, high, step):
            count, start = min(step, high - top), int(layout.offsets[block]) + top * row_bytes
            if start + count * row_bytes > len(data):
                raise OSError("image file is truncated")
            band = np.frombuffer(data, np.uint8, count * row_bytes, start).reshape(count, row_bytes)
            # the other order of bits in a byte
            yield np.packbits(np.unpackbits(band, 1), 1, "little") if layout.fill_order == 2 else band


def _values(rows: Rows, layout: TiffLayout) -> Samples:
    """Turn rows of bytes into samples, without differences between neighbours: [rows, columns, samples of a pixel]."""
    bits, samples = layout.bits[0], 1 if layout.planar else layout.samples
    shape = len(rows), layout.block_width, samples
    if bits not in _WHOLE:
        return _unpacked(rows, bits, layout.block_width * samples).reshape(shape)
    size = bits // 8
    kinds = {"unsigned": "u", "signed": "i", "float": "f"}
    if layout.predictor == _FLOAT_DIFFERENCES:
        # the most significant bytes of a row first, then the next ones: differences in steps of a pixel
        summed = rows.reshape(len(rows), -1, samples).cumsum(1, np.uint8).reshape(len(rows), size, -1)
        values = np.ascontiguousarray(summed.swapaxes(1, 2)).view(f">u{size}")
    else:
        values = np.ascontiguousarray(rows).view(f"{layout.order}u{size}")
    values = values.astype(f"=u{size}").reshape(shape)
    if layout.predictor == _DIFFERENCES:
        values = values.cumsum(1, values.dtype)
    return values.view(f"{kinds[layout.form]}{size}")


def _unpacked(rows: Rows, bits: int, count: int) -> NDArray[np.uint16]:
    """Return unsigned numbers of fewer than 16 bits that lie side by side, the most significant bit first."""
    padded = np.zeros((len(rows), count, 16), np.uint8)
    padded[:, :, 16 - bits :] = np.unpackbits(rows, 1, count * bits).reshape(len(rows), count, bits)
    return np.packbits(padded, 2).view(">u2")[:, :, 0].astype(np.uint16)
