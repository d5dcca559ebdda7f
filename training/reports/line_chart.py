"""Line charts: how losses and metrics change from epoch to epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from data.drawing.axes import TEXT, Scale, draw_columns, draw_rows, logarithmic_ticks, shown_number, ticks
from data.drawing.vector_drawing import Paint, VectorDrawing, text_width

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM = 640, 210, 56, 16, 50
_LEGEND, _ROW, _ABOVE = 34, 20, 20
_WIDE_RANGE = 50  # times the lowest value, from which on a logarithmic scale shows more
_MOST_DOTS = 40

PAINTS: tuple[Paint, ...] = ("accent", "second", (52, 160, 96), (150, 96, 214), (20, 150, 170), (205, 90, 150))
"""Colours of lines, the most important first."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, and its points as (x, y) with x rising. Points that are no finite numbers are gaps."""

    name: str
    points: Sequence[tuple[float, float]]


def draw_lines(
    title: str, series: Sequence[Series], across: str, *, best: float | None = None, logarithmic: bool = False
) -> VectorDrawing:
    """Draw lines over the same axis, `across`; `best` is the x that is marked.

    Where `logarithmic`, the vertical axis is so if all values are above 0 and the highest is 50 times the lowest.
    Otherwise an axis of shares stays within 0 and 1.
    """
    legend = _legend_rows(series)
    top = _LEGEND + _ROW * len(legend) + _ABOVE
    drawing = VectorDrawing(_WIDTH, top + _HEIGHT + _BOTTOM, title)
    drawing.text((0, 14), title, size=15, bold=True)
    paints = {each.name: PAINTS[index % len(PAINTS)] for index, each in enumerate(series)}
    for row, names in enumerate(legend):
        x = 0.0
        for name in names:
            y = _LEGEND + row * _ROW + _ROW / 2
            drawing.line([(x, y), (x + 18, y)], paints[name], width=2.5)
            drawing.text((x + 24, y), name, size=TEXT, paint="faint", most=_WIDTH - 24)
            x += 24 + text_width(name, TEXT) + 18
    bottom, right = top + _HEIGHT, _WIDTH - _RIGHT
    finite = [(x, y) for each in series for x, y in each.points if math.isfinite(y)]
    vertical, values = _vertical([y for _, y in finite], bottom, top, logarithmic)
    draw_rows(drawing, vertical, values, _LEFT, right)
    xs = [x for x, _ in finite] or [0.0]
    horizontal = Scale(min(xs), max(xs), _LEFT + 8, right - 8)
    marks = ticks(min(xs), max(xs), 8, whole=True)
    draw_columns(drawing, [(horizontal.at(x), shown_number(x)) for x in marks], bottom)
    drawing.line([(_LEFT, bottom), (right, bottom)], "faint")
    drawing.text(((_LEFT + right) / 2, bottom + 38), across, size=TEXT, anchor="middle", paint="faint")
    if best is not None and finite:
        x = horizontal.at(best)
        drawing.line([(x, top), (x, bottom)], "faint", dash=4)
        drawing.text((x, top - 9), f"best: {shown_number(best)}", size=11, anchor="middle")
    for each in reversed(series):
        _draw_series(drawing, each, paints[each.name], horizontal, vertical)
    return drawing


def _vertical(values: Sequence[float], bottom: float, top: float, logarithmic: bool) -> tuple[Scale, Sequence[float]]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if logarithmic and low > 0 and high > _WIDE_RANGE * low:
        scale = Scale(low * 0.9, high * 1.1, bottom, top, logarithmic=True)
        return scale, logarithmic_ticks(scale.low, scale.high)
    room = (high - low) * 0.06 or max(abs(high) * 0.06, 0.01)
    are_shares = low >= 0 and high <= 1
    scale = Scale(
        max(low - room, 0.0) if low >= 0 else low - room,
        min(high + room, 1.0) if are_shares else high + room,
        bottom,
        top,
    )
    return scale, ticks(scale.low, scale.high, 6)


def _draw_series(drawing: VectorDrawing, series: Series, paint: Paint, across: Scale, up: Scale) -> None:
    part: list[tuple[float, float]] = []
    for x, y in [*series.points, (math.nan, math.nan)]:
        if math.isfinite(y):
            part.append((across.at(x), up.at(y)))
            continue
        if len(part) > 1:
            drawing.line(part, paint, width=2)
        part = []
    shown = [(x, y) for x, y in series.points if math.isfinite(y)]
    for x, y in shown if len(shown) <= _MOST_DOTS else ():
        drawing.dot((across.at(x), up.at(y)), 2.5, paint, title=f"{series.name}, {shown_number(x)}: {y:.5g}")


def _legend_rows(series: Sequence[Series]) -> list[list[str]]:
    rows: list[list[str]] = []
    used = math.inf
    for each in series:
        needed = 42 + text_width(each.name, TEXT)
        if used + needed > _WIDTH + 18:
            rows.append([])
            used = 0.0
        rows[-1].append(each.name)
        used += needed
    return rows
