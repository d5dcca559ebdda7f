"""Axes of charts: round numbers along an edge, and lines behind what is drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from data.drawing.vector_drawing import VectorDrawing, text_width

TEXT = 12
"""Size of letters on axes, in units of a drawing."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where numbers are along an axis: `low` at `start` and `high` at `end`, in units of a drawing.

    A `logarithmic` scale is for numbers above 0.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the place of a number; those outside of the scale are outside of the axis."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int = 6, *, whole: bool = False) -> list[float]:
    """Return round numbers within [low, high], at most about `most`; only `whole` ones where asked."""
    if not high > low:
        return [low]
    rough = (high - low) / max(most - 1, 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= rough * 0.999)
    if whole:
        step = max(1.0, round(step))
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def logarithmic_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten within [low, high], and 2 and 5 times those where there are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(exponents) <= 4 else (1,)
    found = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def shown_number(value: float) -> str:
    """Write a number shortly: 0.25, 12, 1,500, 20k, 3M, 1e-05."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g}M" if size < 1e9 else f"{value:.2g}"
    if size >= 1e4:
        return f"{value / 1e3:.3g}k"
    if size and size < 1e-3:
        return f"{value:.1e}".replace(".0e", "e")
    return f"{value:,.0f}" if value == round(value) else f"{value:.3g}"


def draw_rows(drawing: VectorDrawing, scale: Scale, values: Sequence[float], left: float, right: float) -> None:
    """Draw a line and a number for each value of a vertical axis."""
    for value in values:
        y = scale.at(value)
        drawing.line([(left, y), (right, y)], "grid")
        drawing.text((left - 8, y), shown_number(value), size=TEXT, anchor="end", paint="faint")


def draw_columns(drawing: VectorDrawing, places: Sequence[tuple[float, str]], y: float) -> None:
    """Write texts below the horizontal axis at `y`, and leave out those that would touch the one before."""
    end = -math.inf
    for x, text in places:
        half = text_width(text, TEXT) / 2
        if x - half >= end:
            drawing.text((x, y + TEXT + 2), text, size=TEXT, anchor="middle", paint="faint")
            end = x + half + 8
