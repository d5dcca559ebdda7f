"""The rows of a table as labelled images."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data.dataset_builder import DatasetBuilder
from data.encodings.numbers import all_finite, pixel_size
from data.errors import DataError
from data.format import ReadOptions, Size
from data.record import Box, LabelledImage, LabelledObject
from data.table.columns import TableColumns, columns_of, separator_of
from models.labels import Label, named
from settings.byte_order_mark import as_utf8
from settings.excerpt import excerpt

_SNIFFED = 2**16  # characters
_SHOWN = 3  # rows


@dataclass(slots=True)
class _ImageRows:
    """An image of several rows: its first line, size, labels and boxes as written, and how many rows have any."""

    line: int
    size: Size | None = None
    labels: list[str] = field(default_factory=list)
    boxes: list[tuple[int, str, Box]] = field(default_factory=list)
    given: int = 0


def read_table(path: Path, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Add the images of a table to `builder`; DataError where it cannot be read, or its columns have no meaning."""
    try:
        text = as_utf8(path.read_bytes()).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise DataError(f"{path} begins like UTF-16 and is not: {error}. Save it as UTF-8.") from None
    separator = separator_of(text[:_SNIFFED], path.suffix.lower())
    rows = _rows(text, separator, builder)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path} has no rows. Expected an image and its label in each.")
    try:
        columns = columns_of(first[1], options.label_column)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    builder.notes.append(_described(columns, first[1], separator))
    remaining = rows if columns.has_header else _after(first, rows)
    if columns.corners:
        _read_boxes(remaining, columns, options, builder)
    else:
        _read_labels(remaining, columns, options, builder)


Row = tuple[int, list[str]]


def _after(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _rows(text: str, separator: str, builder: DatasetBuilder) -> Iterator[Row]:
    """Yield (line, cells) of rows that are not empty; those that are not UTF-8 become faults."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            builder.fault(line, "", "line_unreadable", f"The row cannot be read: {error}. A quote may not be closed.")
            line = reader.line_num + 1
            continue
        number, line = line, reader.line_num + 1
        if not any(map(str.strip, row)):
            continue
        try:
            separator.join(row).encode()
        except UnicodeEncodeError:
            builder.fault(number, "", "line_unreadable", "The row is not UTF-8. Save the table as UTF-8.")
            continue
        yield number, row


def _described(columns: TableColumns, first: list[str], separator: str) -> str:
    def name(at: int) -> str:
        return repr(first[at].strip()) if columns.has_header else f"column {at + 1}"

    parts = [f"paths in {name(columns.path)}", f"labels in {', '.join(map(name, columns.labels[:3]))}"]
    if columns.corners:
        parts.append(f"corners in {', '.join(map(name, columns.corners))}")
    kind = "a header" if columns.has_header else "no header"
    return f"The table has {kind} and is separated by {separator!r}: {'; '.join(parts)}."


def _read_labels(rows: Iterator[Row], columns: TableColumns, options: ReadOptions, builder: DatasetBuilder) -> None:
    found: list[tuple[int, str, tuple[Label, ...]]] = []
    for line, row in rows:
        url = _cell(row, columns.path)
        if not url:
            builder.fault(line, "", "line_unreadable", f"The row {excerpt(row)} has no path of an image.")
            continue
        cells = [_cell(row, at) for at in columns.labels]
        if columns.open_ended:
            cells += [cell.strip() for cell in row[columns.labels[-1] + 1 :]]
        labels: tuple[Label, ...] = tuple(dict.fromkeys(cell for cell in cells if cell))
        if len(found) < _SHOWN:
            builder.notes.append(f"Line {line} is {url}, labelled {', '.join(map(named, labels)) or 'with nothing'}.")
        found.append((line, url, labels))
    several = len(columns.labels) > 1 or any(len(labels) > 1 for _, _, labels in found)
    lists = several if options.task is None else options.task == "multilabel"
    for line, url, labels in found:
        of_one = len(labels) == 1 and not lists
        image = LabelledImage(url, line, labels)
        builder.add(image, "an empty list" if not labels else "one label" if of_one else "a list of labels")


def _read_boxes(rows: Iterator[Row], columns: TableColumns, options: ReadOptions, builder: DatasetBuilder) -> None:
    images: dict[str, _ImageRows] = {}
    shown, largest = 0, 0.0
    for line, row in rows:
        url = _cell(row, columns.path)
        if not url:
            builder.fault(line, "", "line_unreadable", f"The row {excerpt(row)} has no path of an image.")
            continue
        image = images.setdefault(url, _ImageRows(line))
        if columns.sides and image.size is None:
            image.size = pixel_size(*(_cell(row, at) for at in columns.sides))
        label, cells = _cell(row, columns.labels[0]), [_cell(row, at) for at in columns.corners]
        if not label and not any(cells):
            continue  # a background
        image.given += 1
        numbers = all_finite(cells)
        if not label:
            builder.fault(line, url, "label_form", f"The row {excerpt(row)} has no label.", "object dropped")
        elif numbers is None:
            detail = f"The corners of {excerpt(label)} are {excerpt(cells)}; expected four numbers."
            builder.fault(line, url, "box_not_number", detail, "object dropped")
        else:
            box = numbers[0], numbers[1], numbers[2], numbers[3]
            largest = max(largest, *box)
            image.boxes.append((line, label, box))
            if (shown := shown + 1) <= _SHOWN:
                builder.notes.append(
                    f"Line {line} is {url} with {label} from {box[0]:g}, {box[1]:g} to {box[2]:g}, {box[3]:g}."
                )
    shares = largest <= 1
    if shares and shown:
        builder.notes.append("No corner is above 1, so they were read as shares instead of pixels.")
    for url, image in images.items():
        size = image.size if shares or image.size or not image.boxes else options.size_of(url)
        if not shares and size is None and image.boxes:
            detail = "Its corners are in pixels, and its file was not found to tell its size. Name its folder."
            builder.fault(image.line, url, "image_missing", detail)
            continue
        objects = tuple(
            LabelledObject(label, _as_shares(box, None if shares else size)) for _, label, box in image.boxes
        )
        builder.add_objects(LabelledImage(url, image.line, (), objects, size), image.given)


def _as_shares(box: Box, size: Size | None) -> Box:
    width, height = size or (1, 1)
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


def _cell(row: list[str], at: int) -> str:
    return row[at].strip() if at < len(row) else ""
