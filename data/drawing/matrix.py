"""Matrices of counts: which labels occur together, and which are taken for which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.drawing.axes import TEXT, shown_number
from data.drawing.vector_drawing import SPARE, Paint, Point, VectorDrawing, text_width
from settings.excerpt import counted

_PLOT = 520
_LARGEST_CELL, _SMALLEST_CELL = 56, 9  # in smaller ones, names of rows could not be read
_NAME_WIDTH = 150
_TITLE = 40


@dataclass(frozen=True, slots=True)
class Matrix:
    """Numbers with a name for each row and column.

    `shares` [rows, columns] in [0, 1] are how dark cells are, `texts` are written in them, one below the other, where
    there is room, and `hint` says of a cell, by row and column, what it means. `rows` and `columns` say what they are.
    """

    names: Sequence[str]
    shares: NDArray[np.float64]
    texts: Callable[[int, int], Sequence[str]]
    hint: Callable[[int, int], str]
    rows: str
    columns: str


def draw_matrix(title: str, matrix: Matrix) -> VectorDrawing:
    """Draw cells that are darker the higher their share. Cells without a text are left out."""
    count = len(matrix.names)
    cell = min(_LARGEST_CELL, max(_SMALLEST_CELL, _PLOT / max(count, 1)))
    size = min(TEXT, int(cell * 0.9))
    longest = max((text_width(name, size) for name in matrix.names), default=0.0)
    names = min(_NAME_WIDTH, longest * SPARE) + 8
    left, top = names + 22, _TITLE + names + 22
    side = cell * count
    drawing = VectorDrawing(max(left + side + 12, text_width(title, 15) + 8), top + side + 12, title)
    drawing.text((0, 14), title, size=15, bold=True)
    drawing.text((8, top + side / 2), matrix.rows, anchor="middle", paint="faint", turned=True)
    drawing.text((left + side / 2, _TITLE + 4), matrix.columns, anchor="middle", paint="faint")
    drawing.rectangle((left, top), (side, side), "grid", opacity=0.35)
    for index, name in enumerate(matrix.names):
        middle = index * cell + cell / 2
        drawing.text((left - 8, top + middle), name, size=size, anchor="end", most=names - 8)
        drawing.text((left + middle, top - 8), name, size=size, most=names - 8, turned=True)
    gap = 1.0 if cell >= 16 else 0.0
    for row, column in np.ndindex(matrix.shares.shape):
        texts = matrix.texts(row, column)
        if texts:
            place = (left + column * cell, top + row * cell)
            hint = matrix.hint(row, column)
            _draw_cell(drawing, place, cell - gap, texts, share=float(matrix.shares[row, column]), hint=hint)
    return drawing


def _draw_cell(
    drawing: VectorDrawing, place: Point, side: float, texts: Sequence[str], *, share: float, hint: str
) -> None:
    # Even a single case among thousands is seen
    drawing.rectangle(place, (side, side), "accent", opacity=0.08 + 0.92 * share, title=hint)
    size = 11 if side >= 40 else 9
    fitting = [text for text in texts if text_width(text, size) <= side - 4][: int(side // (size + 3))]
    for index, text in enumerate(fitting):
        y = place[1] + side / 2 + (index - (len(fitting) - 1) / 2) * (size + 3)
        paint: Paint = "surface" if share > 0.72 else "ink"
        drawing.text((place[0] + side / 2, y), text, size=size, anchor="middle", paint=paint)


def together(names: Sequence[str], counts: NDArray[np.int64]) -> Matrix:
    """Say which labels occur in the same images: int64 [labels, labels], on the diagonal all images of a label."""
    alone = np.maximum(counts.diagonal(), 1)
    shares = counts / alone[:, None]
    return Matrix(
        names,
        shares,
        lambda row, column: [shown_number(int(counts[row, column]))] if counts[row, column] else [],
        lambda row, column: (
            f"{names[column]} in {int(counts[row, column]):,} of {counted(int(counts[row, row]), 'image')} "
            f"with {names[row]}"
        ),
        "images with",
        "also have",
    )
