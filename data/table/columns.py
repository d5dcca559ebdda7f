"""TableColumns: which columns of a table are paths, labels, corners and sizes, by its header or by its first row."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from data.encodings.numbers import finite
from data.errors import DataError
from data.layout.listing import is_image_name
from settings.excerpt import excerpt

_PATHS = {"path", "image", "image_url", "imageurl", "image_path", "file", "file_name", "filename", "filepath", "url"}
_LABELS = {"label", "labels", "class", "class_name", "classname", "category", "name", "target"}
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("topx", "topy", "bottomx", "bottomy"),
    ("left", "top", "right", "bottom"),
)
_SIDES = ("width", "height")
_SEPARATORS = ",;\t|"
_COLUMNS_WITH_CORNERS = 6


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Places of columns, from 0. `labels` are several where an image may have several labels."""

    path: int
    labels: tuple[int, ...]
    corners: tuple[int, ...] = ()
    sides: tuple[int, ...] = ()
    has_header: bool = False
    open_ended: bool = False  # all columns after the last one are labels too


def separator_of(text: str, suffix: str) -> str:
    """Return what separates the columns in the first lines of a table: what most of them have equally often."""
    if suffix == ".tsv":
        return "\t"
    lines = text.splitlines()[:20]
    counts = {mark: sorted(_columns(lines, mark)) for mark in _SEPARATORS}
    # the fewest columns of any line count, as paths and labels may have other marks in them
    return max(_SEPARATORS, key=lambda mark: (counts[mark][0] if counts[mark] else 0, -_SEPARATORS.index(mark)))


def _columns(lines: Sequence[str], mark: str) -> list[int]:
    return [len(row) for row in csv.reader(lines, delimiter=mark) if row]


def columns_of(row: Sequence[str], label_column: str) -> TableColumns:
    """Return what the columns are, by the first row; DataError where it is neither a header nor begins with an image.

    Without a header they are a path and labels, a path, a label and four corners, or a path, four corners and a label.
    """
    names = [name.strip().lower() for name in row]
    wanted = label_column.lower()
    path = next((at for at, name in enumerate(names) if name in _PATHS), None)
    labels = [at for at, name in enumerate(names) if name == wanted] or [
        at for at, name in enumerate(names) if name in _LABELS or name.rstrip("_0123456789") in _LABELS
    ]
    if path is not None and labels:
        found = (tuple(names.index(name) for name in four if name in names) for four in _CORNERS)
        corners = next((four for four in found if len(four) == len(_CORNERS[0])), ())
        sides = tuple(names.index(side) for side in _SIDES if side in names)
        last = labels[-1] == len(names) - 1 and not corners
        return TableColumns(path, tuple(labels), corners, sides if len(sides) == 2 else (), True, last)
    if not row or not is_image_name(row[0].strip().rsplit("/", 1)[-1].partition("?")[0]):
        raise DataError(
            f"The first row is {excerpt(list(row))}: neither names of columns, such as path and {label_column}, nor an "
            "image and its label. Add a row of names."
        )
    if len(row) == _COLUMNS_WITH_CORNERS:
        if _are_corners(row[2:6]):
            return TableColumns(0, (1,), (2, 3, 4, 5))
        if _are_corners(row[1:5]):
            return TableColumns(0, (5,), (1, 2, 3, 4))
    return TableColumns(0, tuple(range(1, max(len(row), 2))), open_ended=True)


def _are_corners(cells: Sequence[str]) -> bool:
    return all(not cell.strip() for cell in cells) or all(finite(cell) is not None for cell in cells)
