"""The bits in which Label Studio writes a brush: red, green, blue and alpha of each pixel, row after row, as runs.

32 bits are the count of values, 5 the bits of a value less one, 4 times 4 those of lengths less one. Then records: one
bit for a run or single values, two bits for which size its length has, the length less one, the value or values.
"""

import numpy as np
from numpy.typing import NDArray

_CHANNELS = 4
_SIZES = (3, 6, 10, 16)  # of lengths, in bits
_INSIDE = 255
_MOST_PIXELS = 2**28


def pixels_of_brush(data: bytes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels that a brush covers in an image of `size` (height, width): bool [height, width].

    ValueError where the bits are broken, or are those of another size.
    """
    if size[0] * size[1] > _MOST_PIXELS:
        raise ValueError(f"its brush has {size[0]}x{size[1]} pixels; expected at most {_MOST_PIXELS}")
    bits = _Bits(data)
    count = bits.number(32)
    if count != _CHANNELS * size[0] * size[1]:
        raise ValueError(f"its brush has {count} values; expected {_CHANNELS} for each of {size[0] * size[1]} pixels")
    word = bits.number(5) + 1
    sizes = [bits.number(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint32)
    at = 0
    while at < count:
        is_run, length = bits.number(1), bits.number(2)
        length = bits.number(sizes[length]) + 1
        if at + length > count:
            raise ValueError(f"its brush has more than the {count} values that it begins with")
        values[at : at + length] = bits.number(word) if is_run else bits.numbers(length, word)
        at += length
    return (values[_CHANNELS - 1 :: _CHANNELS] > _INSIDE // 2).reshape(size)


def brush_of_pixels(pixels: NDArray[np.bool_]) -> list[int]:
    """Return the bytes of a brush that covers some pixels, bool [height, width]."""
    flat = pixels.ravel()
    ends = np.flatnonzero(np.append(flat[1:] != flat[:-1], True)) + 1
    parts = [_binary(_CHANNELS * len(flat), 32), _binary(8 - 1, 5), *(_binary(size - 1, 4) for size in _SIZES)]
    start = 0
    for end in ends.tolist():
        value = _binary(_INSIDE * int(flat[start]), 8)
        left = _CHANNELS * (end - start)
        while left:
            length = min(left, 2 ** _SIZES[-1])
            kind = next(kind for kind, size in enumerate(_SIZES) if length <= 2**size)
            parts += ["1", _binary(kind, 2), _binary(length - 1, _SIZES[kind]), value]
            left -= length
        start = end
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _binary(number: int, bits: int) -> str:
    return format(number, f"0{bits}b")


class _Bits:
    """Numbers that lie side by side in bytes, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8))
        self._at = 0

    def number(self, bits: int) -> int:
        return int(self.numbers(1, bits)[0])

    def numbers(self, count: int, bits: int) -> NDArray[np.int64]:
        taken = self._bits[self._at : self._at + count * bits]
        if len(taken) < count * bits:
            raise ValueError("the bits of its brush end too early")
        self._at += count * bits
        weights = 1 << np.arange(bits - 1, -1, -1, dtype=np.int64)
        return taken.reshape(count, bits) @ weights
