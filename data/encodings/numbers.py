"""Numbers as people's files have them: as numbers, or as texts."""

import math
from collections.abc import Iterable
from typing import Any


def finite(value: Any) -> float | None:
    """Return a number, or a text that holds one, as a float; None where it is neither, infinite or no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and "_" in value:  # Python's own way to write large numbers
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def all_finite(values: Iterable[Any]) -> tuple[float, ...] | None:
    """Return numbers as floats; None where one of them is none."""
    numbers = []
    for value in values:
        if (number := finite(value)) is None:
            return None
        numbers.append(number)
    return tuple(numbers)


def pixel_size(width: Any, height: Any) -> tuple[int, int] | None:
    """Return the (width, height) of an image, which may be 400 or "400px"; None where one of them is no length."""
    sides = []
    for value in (width, height):
        number = finite(value.strip().removesuffix("px") if isinstance(value, str) else value)
        if number is None or number < 1:
            return None
        sides.append(int(number))
    return sides[0], sides[1]
