"""MLflow's scoring protocol (https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally).

A table with a column of pictures in base64, as JSON in any of its four forms or as CSV: `mlflow models serve` has it.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from server.asked import cell_of, parameters_of
from server.body import Body, is_json, parsed_object
from server.context import Context
from server.errors import ServiceError
from server.protocol import Answer, Call, Protocol, Wanted, Written, json_objects

_SPOKEN = "3.1.0"  # the version of MLflow whose protocol this is
_COLUMN = "image"
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_FORM = 'Expected {"dataframe_split": {"columns": ["image"], "data": [[BASE64], ...]}} or another form of a table.'


async def _parse(body: Body) -> dict[str, Any]:
    if body.media_type != "text/csv":
        return await parsed_object(body.data)
    try:
        rows = list(csv.DictReader(io.StringIO(body.data.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ServiceError("input_invalid", f"The CSV cannot be read: {error}.") from None
    return {"dataframe_records": rows}


def _read(call: Call) -> Wanted:
    given = [form for form in _FORMS if form in call.content]
    if len(given) != 1:
        raise ServiceError(
            "input_invalid",
            f"Invalid input. The input must be a JSON dictionary with exactly one of the fields {', '.join(_FORMS)}; "
            f"received {', '.join(list(call.content)[:8]) or 'none'}.",
        )
    explains, parameters = parameters_of(call.content.get("params"))
    more = {**parameters, "model_explainability": explains}
    values = _READERS[given[0]](call.content[given[0]])
    if not values:
        raise ServiceError("input_invalid", f"`{given[0]}` has no rows. {_FORM}")
    return Wanted([cell_of(_with(value, more), {}) for value in values])


def _with(value: Any, more: Mapping[str, Any]) -> Any:
    """Return a cell that asks for what the request does, unless it asks for something itself."""
    return {"image_base64": value, **more} if isinstance(value, str) and not value.lstrip().startswith("{") else value


def _split(table: Any) -> Sequence[Any]:
    columns, rows = (table.get("columns"), table.get("data")) if isinstance(table, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise ServiceError("input_invalid", f"`dataframe_split` has no `columns` or no `data`. {_FORM}")
    return _records([dict(zip(columns, row, strict=False)) if isinstance(row, list) else {} for row in rows])


def _records(rows: Any) -> Sequence[Any]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServiceError("input_invalid", f"`dataframe_records` is not a list of objects. {_FORM}")
    for number, row in enumerate(rows):
        if _COLUMN not in row:
            columns = ", ".join(map(str, list(row)[:8])) or "none"
            raise ServiceError(
                "input_invalid",
                f"Model is missing inputs ['{_COLUMN}']: row {number} has the columns {columns}. The signature is "
                f"{_COLUMN}: binary (required).",
            )
    return [row[_COLUMN] for row in rows]


def _instances(rows: Any) -> Sequence[Any]:
    if isinstance(rows, list) and rows and isinstance(rows[0], dict) and "image_base64" not in rows[0]:
        return _records(rows)
    if not isinstance(rows, list):
        raise ServiceError("input_invalid", f"`instances` is a {type(rows).__name__}. {_FORM}")
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]


def _inputs(columns: Any) -> Sequence[Any]:
    if not isinstance(columns, dict):
        return _instances(columns)
    column = columns.get(_COLUMN)
    if column is None:
        return _records([columns])
    return _instances(column if isinstance(column, list) else [column])


_READERS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _inputs}


def _write(answer: Answer) -> Written:
    return Written(b'{"predictions": [%s]}' % b", ".join(json_objects(answer.outcomes)))


def _fails(error: ServiceError, request_id: str) -> bytes:
    code = "BAD_REQUEST" if error.status < 500 else "INTERNAL_ERROR"
    return json.dumps({"error_code": code, "message": error.message}).encode()


router = APIRouter(tags=["MLflow"])


@router.get("/ping")
@router.get("/health", include_in_schema=False)
async def ping(request: Request) -> Response:
    """Answer 200 only while a score would succeed."""
    context: Context = request.app.state.context
    context.require_ready()
    return PlainTextResponse("\n", media_type="application/json")


@router.get("/version")
async def version() -> Response:
    """Name the version of MLflow whose protocol this is."""
    return PlainTextResponse(_SPOKEN, media_type="text/html")


PROTOCOL = Protocol(
    "mlflow",
    ("/invocations",),
    "Score pictures in a table, as a server of MLflow does.",
    _read,
    _write,
    takes=lambda media_type: media_type == "text/csv" or is_json(media_type),
    types="text/csv or application/json",
    parse=_parse,
    prefix="/invocations",
    fails=_fails,
    router=router,
    openapi={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
