"""Version 2 of the hosted endpoint: `{"input_data": {"columns": ["image"], "data": [...]}}` -> a JSON array."""

from typing import Any

from models.folder.signature import Signature
from server.codecs.image_inputs import inference_parameters, parse_item
from server.errors import ServiceError
from server.hosted import hosted
from server.protocol import ProtocolRequest, ScoreRequest, json_array
from settings.excerpt import excerpt

_IMAGE = "image"
_EXPECTED = 'Expected {"columns": ["image"], "data": [BASE64, ...]}.'


def _read(request: ProtocolRequest) -> ScoreRequest:
    common = inference_parameters(request.content)
    items = _items(request.content["input_data"], request.model.signature)
    request.check_image_count(len(items))
    return ScoreRequest([parse_item(item, common) for item in items])


def _items(table: Any, signature: Signature) -> list[Any]:
    if isinstance(table, list):  # the shorter form that newer clients send
        return table
    if not isinstance(table, dict):
        raise ServiceError("input_invalid", f"`input_data` is a {type(table).__name__}. {_EXPECTED}")
    columns, rows = table.get("columns", [_IMAGE]), table.get("data")
    name = signature.image_column_in(columns) if signature.any_name and isinstance(columns, list) else _IMAGE
    if not isinstance(columns, list) or name not in columns:
        raise ServiceError(
            "input_invalid", f"`input_data` has the columns {excerpt(columns)}, without {_IMAGE!r}. {_EXPECTED}"
        )
    if not isinstance(rows, list) or not rows:
        found = f"a {type(rows).__name__}" if not isinstance(rows, list) else "an empty list"
        raise ServiceError("input_invalid", f"The `data` of `input_data` is {found}. {_EXPECTED}")
    position = columns.index(name)
    return [_from_row(row, position, number) for number, row in enumerate(rows)]


def _from_row(row: Any, position: int, number: int) -> Any:
    if not isinstance(row, list):
        return row
    if position >= len(row):
        raise ServiceError(
            "input_invalid", f"Row {number} of `data` has {len(row)} values, none for 'image'. {_EXPECTED}"
        )
    return row[position]


def _matches(content: Any) -> bool:
    return isinstance(content, dict) and "input_data" in content


PROTOCOL = hosted(
    "azure_v2",
    summary="Score any number of images in the JSON object of version 2; the reply is an array, an object for each.",
    read=_read,
    write=json_array,
    matches=_matches,
)
