"""From samples of any type to 8 bits: which range of values is black to white, by the type and the values found."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import ImageError

Scale = Callable[[NDArray[Any]], NDArray[np.uint8]]

_UNUSED_BITS = 4  # with more, the upper 8 bits would be nearly black
_DIMMEST = 16  # of floating-point values up to 255: below it, hardly anything could be told from black


@dataclass(frozen=True, slots=True)
class SampleType:
    """The type of the samples of an image: 1 to 16, 32 or 64 bits, as numbers of a `form`."""

    bits: int
    form: Literal["unsigned", "signed", "float"]

    def __str__(self) -> str:
        words = {"unsigned": "unsigned integers", "signed": "signed integers", "float": "floating-point numbers"}
        return f"{self.bits}-bit {words[self.form]}"


def scale_of(samples: SampleType, low: float, high: float) -> Scale:
    """Return the function that makes uint8 of samples of this type, of which `low` and `high` are the extremes.

    - Up to 255: as they are, as Pillow and so AutoML for Images have them, whatever their type holds.
    - Unsigned, up to 16 bits: the upper 8 of their bits; of those in use where 4 or more are not, as of a sensor of 12
      bits in a file of 16. Of fewer than 8 bits, in proportion.
    - Other integers: the upper 8 bits of 0 to 65535, of all that is not negative, or of all that the type holds.
    - Floating point: 0 to 1, 0 to 255 or 0 to 65535.

    Where more than one range would do, the values must reach the upper half of it (and the lower, where it is signed).
    ImageError `image_unreadable` where they do not: then any guess could turn the image black or white.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _unknown(samples, low, high)
    if samples.form == "float":
        factor = _factor(low, high)
        if factor is None:
            raise _unknown(samples, low, high)
        # whole results are exact: half a step more would make 255 of the 254 that was stored as 254
        return lambda values: (values.astype(np.float64) * factor + (0.5 if factor == 255 else 0)).astype(np.uint8)
    if samples.bits < 8 and samples.form == "unsigned":
        most = (1 << samples.bits) - 1
        return lambda values: (values.astype(np.uint16) * 255 // most).astype(np.uint8)
    half = 1 << (samples.bits - 1)
    if low >= 0:
        shift = _shift(samples, int(high))
        if shift is not None:
            return lambda values: (values >> shift).astype(np.uint8)
    elif low < -half // 2 and high >= half // 2:
        unsigned = np.dtype(f"u{samples.bits // 8}")
        return lambda values: ((values.view(unsigned) ^ unsigned.type(half)) >> (samples.bits - 8)).astype(np.uint8)
    raise _unknown(samples, low, high)


def _factor(low: float, high: float) -> float | None:
    for most, least, factor in ((1, 0, 255), (255, _DIMMEST, 1), (65535, 32768, 1 / 256)):
        if low >= 0 and least <= high <= most:
            return factor
    return None


def _shift(samples: SampleType, high: int) -> int | None:
    """Return how many of the lower bits of samples that are not negative to leave out; None where that is not clear."""
    if high <= 255:
        return 0
    if samples.form == "unsigned" and samples.bits <= 16:
        used = high.bit_length()
        return (samples.bits if samples.bits - used < _UNUSED_BITS else used) - 8
    for bits in (16, samples.bits - (samples.form == "signed")):
        if 1 << (bits - 1) <= high < 1 << bits:
            return bits - 8
    return None


def _unknown(samples: SampleType, low: float, high: float) -> ImageError:
    return ImageError(
        "image_unreadable",
        f"The samples of the picture are {samples} from {low:g} to {high:g}, of which this server cannot tell what is "
        "black and what is white. Send it with 8 bits a channel, or with values that fill their range.",
    )
