"""Version 2 of the hosted contract: `{"input_data": {"columns": ["image"], "data": [...]}}` -> a JSON array."""

import json
from collections.abc import Mapping
from typing import Any

from server.asked import asked, inference_parameters
from server.base64_image import decode_base64
from server.engine.outcome import Failure
from server.errors import ServiceError
from server.hosted import hosted
from server.protocol import Call, Wanted, json_array
from server.scoring import Cell

_FORM = 'Expected {"columns": ["image"], "data": [BASE64, ...]}.'
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})


def _read(call: Call) -> Wanted:
    common = inference_parameters(call.content)
    return Wanted([_cell(value, common) for value in _values(call.content["input_data"])])


def _values(table: Any) -> list[Any]:
    if isinstance(table, list):  # the shorter form that newer clients send
        return table
    if not isinstance(table, dict):
        raise ServiceError("input_invalid", f"`input_data` is a {type(table).__name__}. {_FORM}")
    columns, rows = table.get("columns", ["image"]), table.get("data")
    if not isinstance(columns, list) or "image" not in columns:
        raise ServiceError("input_invalid", f"`input_data` has the columns {columns!r}, without 'image'. {_FORM}")
    if not isinstance(rows, list) or not rows:
        found = f"a {type(rows).__name__}" if not isinstance(rows, list) else "an empty list"
        raise ServiceError("input_invalid", f"The `data` of `input_data` is {found}. {_FORM}")
    position = columns.index("image")
    return [_from_row(row, position, number) for number, row in enumerate(rows)]


def _from_row(row: Any, position: int, number: int) -> Any:
    if not isinstance(row, list):
        return row
    if position >= len(row):
        raise ServiceError("input_invalid", f"Row {number} of `data` has {len(row)} values, none for 'image'. {_FORM}")
    return row[position]


def _cell(value: Any, common: Mapping[str, Any]) -> Cell:
    """Read base64, or a cell that says more than the picture: {"image_base64": ..., "model_explainability": ...}.

    `common` are the `inference_parameters` of the whole request.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            return Failure("base64_invalid", f"The cell starts like a JSON object but is none ({error}).")
    if not isinstance(value, dict):
        return asked(decode_base64(value), {}, explains=False, common=common)
    explains = str(value.get("model_explainability", "false")).lower() in _TRUE
    return asked(decode_base64(value.get("image_base64")), value, explains=explains, common=common)


def _accepts(content: Any) -> bool:
    return isinstance(content, dict) and "input_data" in content


PROTOCOL = hosted(
    "azure_v2",
    does="Score any number of pictures in the JSON object of version 2; the reply is an array, an object for each.",
    read=_read,
    write=json_array,
    accepts=_accepts,
)
