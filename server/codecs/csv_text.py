"""CSV (https://www.rfc-editor.org/rfc/rfc4180) -> rows of cells, at the speed of a search for commas and quotes.

The standard library looks at each character, and holds the interpreter for a second where an image has 60 MB.
"""

import re
from collections.abc import Iterator

from server.codecs.json_text import MOST_VALUES, too_many_values

_MOST_ROWS = 2**16
_ENDS = ",\n\r"  # of a cell
_EMPTY_LINES = re.compile(r"[\r\n]*")


class CsvError(ValueError):
    """A text that is no CSV."""


def csv_rows(text: str) -> list[list[str]]:
    """Return the cells of each row but empty lines, 65536 rows at most.

    Lines end in LF, CR LF or CR. CsvError where a quoted cell does not end as it should; ServiceError
    `too_many_values`.
    """
    if text.count('""') > MOST_VALUES:
        raise too_many_values()
    rows: list[list[str]] = []
    row: list[str] = []
    for count, (cell, ends_row) in enumerate(_cells(text)):
        if count >= MOST_VALUES:
            raise too_many_values()
        row.append(cell)
        if ends_row:
            rows.append(row)
            row = []
        if len(rows) == _MOST_ROWS:
            break
    return rows


def _cells(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each cell, and whether its row ends with it."""
    at, starts_row = _after_empty_lines(text, 0), True
    next_ends = dict.fromkeys(_ENDS, -1)  # where each is found next: none is searched for twice
    while at < len(text) or not starts_row:
        cell, at = _quoted(text, at) if text.startswith('"', at) else _plain(text, at, next_ends)
        starts_row = not text.startswith(",", at)
        yield cell, starts_row
        at = _after_empty_lines(text, at) if starts_row else at + 1


def _after_empty_lines(text: str, at: int) -> int:
    found = _EMPTY_LINES.match(text, at)
    assert found is not None
    return found.end()


def _plain(text: str, at: int, next_ends: dict[str, int]) -> tuple[str, int]:
    for end in _ENDS:
        if next_ends[end] < at:
            found = text.find(end, at)
            next_ends[end] = len(text) if found < 0 else found
    end_of_cell = min(next_ends.values())
    return text[at:end_of_cell], end_of_cell


def _quoted(text: str, at: int) -> tuple[str, int]:
    end = text.find('"', at + 1)
    while text.startswith('""', end):
        end = text.find('"', end + 2)
    if end < 0:
        raise CsvError("a quoted cell has no closing quote")
    if end + 1 < len(text) and text[end + 1] not in _ENDS:
        raise CsvError("a quoted cell goes on after its closing quote")
    return text[at + 1 : end].replace('""', '"'), end + 1
