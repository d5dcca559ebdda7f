"""Bars: how often each of some names or numbers occurs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from data.drawing.axes import TEXT, Scale, draw_columns, draw_rows, shown_number, ticks
from data.drawing.vector_drawing import SPARE, Paint, VectorDrawing, text_width

_ROW = 22
_NAME_WIDTH = 190
_MOST_ROWS = 60
_PLOT_HEIGHT = 190
_LEFT, _TOP, _BOTTOM, _RIGHT = 52, 40, 52, 16


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its length, its colour, and what is written behind it, its length where that is empty."""

    name: str
    value: float
    paint: Paint = "accent"
    note: str = ""


def draw_named_bars(title: str, bars: Sequence[Bar], *, full: float | None = None, width: float = 560) -> VectorDrawing:
    """Draw a row for each bar, the first 60; `full` is the length of the longest that could be, or the longest is."""
    shown = bars[:_MOST_ROWS]
    left_out = len(bars) - len(shown)
    height = _TOP + _ROW * max(len(shown) + bool(left_out), 1) + 12
    drawing = VectorDrawing(width, height, title)
    drawing.text((0, 14), title, size=15, bold=True)
    if not bars:
        drawing.text((0, _TOP + _ROW / 2), "There are none.", paint="faint")
        return drawing
    notes = [bar.note or shown_number(bar.value) for bar in shown]
    name_width = min(_NAME_WIDTH, max(text_width(bar.name, TEXT) for bar in shown) * SPARE)
    start = name_width + 10
    end = width - max(text_width(note, TEXT) for note in notes) - 10
    scale = Scale(0.0, full or max(bar.value for bar in shown) or 1.0, start, end)
    for index, (bar, note) in enumerate(zip(shown, notes, strict=True)):
        y = _TOP + index * _ROW + _ROW / 2
        drawing.text((name_width, y), bar.name, size=TEXT, anchor="end", most=name_width)
        long = scale.at(min(bar.value, scale.high)) - start
        size = (max(long, 1.0) if bar.value else 0.0, 14.0)
        drawing.rectangle((start, y - 7), size, bar.paint, title=f"{bar.name}: {note}")
        drawing.text((start + max(long, 0.0) + 6, y), note, size=TEXT, paint="faint")
    if left_out:
        y = _TOP + len(shown) * _ROW + _ROW / 2
        drawing.text((start, y), f"and {left_out:,} more", size=TEXT, paint="faint")
    return drawing


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts of numbers between edges, of which there is one more; `names` are written below edges, or are empty."""

    counts: Sequence[int]
    names: Sequence[str]
    titles: Sequence[str]


def whole_number_bins(values: Sequence[int], most: int = 30) -> Bins:
    """Count whole numbers from 0: a bin each, or some together where the largest is above `most`."""
    largest = max(values, default=0)
    width = max(1, math.ceil((largest + 1) / most))
    counts = np.bincount(np.asarray(values, np.int64) // width, minlength=1).tolist()
    starts = range(0, len(counts) * width, width)
    titles = [str(start) if width == 1 else f"{start} to {start + width - 1}" for start in starts]
    return Bins(counts, titles, titles)


def edge_bins(values: Sequence[float], edges: Sequence[float], names: Sequence[str]) -> Bins:
    """Count numbers between edges, those below the first or above the last in the outer bins. `names`: of the edges."""
    places = np.searchsorted(edges[1:-1], values, side="right")
    titles = [f"{low} to {high}" for low, high in pairwise(names)]
    return Bins(np.bincount(places, minlength=len(titles)).tolist(), names, titles)


def draw_histogram(title: str, bins: Bins, across: str, *, width: float = 410) -> VectorDrawing:
    """Draw a column for each bin; `across` says what the numbers below are."""
    drawing = VectorDrawing(width, _TOP + _PLOT_HEIGHT + _BOTTOM, title)
    drawing.text((0, 14), title, size=15, bold=True)
    bottom, right = _TOP + _PLOT_HEIGHT, width - _RIGHT
    highest = max(bins.counts, default=0) or 1
    scale = Scale(0.0, highest * 1.05, bottom, _TOP)
    draw_rows(drawing, scale, ticks(0.0, scale.high, 5, whole=True), _LEFT, right)
    each = (right - _LEFT) / max(len(bins.counts), 1)
    for index, (count, name) in enumerate(zip(bins.counts, bins.titles, strict=True)):
        top = scale.at(count)
        size = (max(each - min(2.0, each / 4), 1.0), bottom - top)
        drawing.rectangle((_LEFT + index * each, top), size, "accent", title=f"{name}: {count:,}")
    middle = 0.0 if len(bins.names) > len(bins.counts) else each / 2
    draw_columns(drawing, [(_LEFT + index * each + middle, name) for index, name in enumerate(bins.names)], bottom)
    drawing.line([(_LEFT, bottom), (right, bottom)], "faint")
    drawing.text(((_LEFT + right) / 2, bottom + 38), across, size=TEXT, anchor="middle", paint="faint")
    return drawing
