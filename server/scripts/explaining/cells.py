"""The cells of a request to a script that ask for an explanation, and requests of the same form with another image."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from explain.request.parameter_types import read_boolean
from server.codecs.image_inputs import EXPLAINS
from server.codecs.json_text import parse_json
from server.errors import ServiceError

_IMAGE, _CELL = "image", "image_base64"


@dataclass(frozen=True, slots=True)
class ExplainedCell:
    """A cell that asks for an explanation: its `row` in the reply, and what it gives as image and `xai_parameters`.

    `with_image` returns the body of a request for this row alone, with another image in base64: in the same form, but
    for `model_explainability`, which becomes false.
    """

    row: int
    image: Any
    parameters: Any
    with_image: Callable[[str], bytes]


def explained_cells(body: bytes) -> list[ExplainedCell]:
    """Return the cells of a body that ask for an explanation: none where it has another form than that of `/score`."""
    try:
        content = parse_json(body)
    except (ValueError, ServiceError):
        return []
    if not isinstance(content, dict):
        return []
    if "input_data" in content:
        return _of_table(content)
    if _IMAGE in content and _asks(content):
        return [ExplainedCell(0, content[_IMAGE], content.get("xai_parameters"), partial(_alone, content))]
    return []


def _of_table(content: dict[str, Any]) -> list[ExplainedCell]:
    table = content["input_data"]
    rows, columns = table, [_IMAGE]
    if isinstance(table, dict):
        rows, columns = table.get("data"), table.get("columns", columns)
    if not isinstance(rows, list) or not isinstance(columns, list) or _IMAGE not in columns:
        return []
    position = columns.index(_IMAGE)
    found = []
    for number, row in enumerate(rows):
        cell = _object_in(row[position] if isinstance(row, list) and position < len(row) else row)
        if cell is not None and _CELL in cell and _asks(cell):
            another = partial(_in_table, content, number, position, cell)
            found.append(ExplainedCell(number, cell[_CELL], cell.get("xai_parameters"), another))
    return found


def _object_in(cell: Any) -> dict[str, Any] | None:
    """Return the object that a cell is, or that it holds as a JSON text."""
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        try:
            cell = parse_json(cell)
        except (ValueError, ServiceError):
            return None
    return cell if isinstance(cell, dict) else None


def _asks(options: dict[str, Any]) -> bool:
    return read_boolean(options.get(EXPLAINS)) is True


def _alone(content: dict[str, Any], image: str) -> bytes:
    return json.dumps({**content, _IMAGE: image, EXPLAINS: False}).encode()


def _in_table(content: dict[str, Any], number: int, position: int, cell: dict[str, Any], image: str) -> bytes:
    table = content["input_data"]
    rows = table["data"] if isinstance(table, dict) else table
    row = rows[number]
    given = row[position] if isinstance(row, list) else row
    other: Any = {**cell, _CELL: image, EXPLAINS: False}
    if isinstance(given, str):
        other = json.dumps(other)
    if isinstance(row, list):
        other = [*row[:position], other, *row[position + 1 :]]
    if isinstance(table, list):
        return json.dumps({**content, "input_data": [other]}).encode()
    index = table.get("index")
    kept = {"index": index[number : number + 1]} if isinstance(index, list) else {}
    return json.dumps({**content, "input_data": {**table, **kept, "data": [other]}}).encode()
