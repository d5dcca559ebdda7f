"""MLflow's scoring protocol (https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally).

A table with a column of pictures in base64, as JSON in any of its four forms or as CSV: `mlflow models serve` has it.
"""

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from models.folder.signature import Signature
from server.api.state import AppState
from server.codecs.body import RequestBody, aside, is_json, parsed_object
from server.codecs.image_inputs import cell_of, parameters_of
from server.errors import ServiceError
from server.openapi.schemas import COLUMNS, PARAMETERS, PICTURE, having, listed, taking
from server.protocol import Protocol, ProtocolRequest, ResponseBody, ScoreRequest, ScoreResult, json_objects

_SPOKEN = "3.1.0"  # the version of MLflow whose protocol this is
_MOST_LINES = 2**16  # of a CSV; a line of no length takes fifty times its bytes once it is read
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_FORM = 'Expected {"dataframe_split": {"columns": ["image"], "data": [[BASE64], ...]}} or another form of a table.'
_RECORD = having({"image": PICTURE})
_TABLES = [
    having({form: schema}, params=PARAMETERS)
    for form, schema in {
        "dataframe_split": having({"columns": COLUMNS, "data": listed(listed(PICTURE))}),
        "dataframe_records": listed(_RECORD),
        "instances": listed({"anyOf": [PICTURE, _RECORD]}),
        "inputs": {"anyOf": [listed(PICTURE), having({"image": listed(PICTURE)})]},
    }.items()
]
# what MLflow calls an error of some of our codes, or of a status
_CODES = {"signature_mismatch": "INVALID_PARAMETER_VALUE", "model_unknown": "RESOURCE_DOES_NOT_EXIST"}
_CODES_BY_STATUS = {
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

# the module's own limit is 131072 characters, fewer than many a picture has; bodies are bounded as a whole
csv.field_size_limit(2**31 - 1)


async def _parse(body: RequestBody) -> dict[str, Any]:
    if body.media_type != "text/csv":
        return await parsed_object(body.data)
    return await aside(len(body.data), partial(_table, body.data))


def _table(data: bytes) -> dict[str, Any]:
    """Read CSV with a line of names first, and perhaps a mark of byte order before it."""
    try:
        read = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(islice(filter(None, read), _MOST_LINES))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ServiceError("input_invalid", f"The CSV cannot be read: {error}.") from None
    if not lines:
        raise ServiceError("input_invalid", "The CSV has no lines. Expected a line of column names, and one a picture.")
    return {"dataframe_split": {"columns": lines[0], "data": lines[1:]}}


def _read(call: ProtocolRequest) -> ScoreRequest:
    given = [form for form in _FORMS if form in call.content]
    if len(given) != 1:
        raise ServiceError(
            "input_invalid",
            f"Invalid input. The input must be a JSON dictionary with exactly one of the fields {', '.join(_FORMS)}; "
            f"received {_listed(call.content)}.",
        )
    explains, parameters = parameters_of(call.content.get("params"), "params")
    more = {**parameters, "model_explainability": explains}
    values = _READERS[given[0]](call.content[given[0]], call.model.signature)
    if not values:
        raise ServiceError("input_invalid", f"`{given[0]}` has no rows. {_FORM}")
    call.bound(len(values))
    return ScoreRequest([cell_of(_with(value, more), {}) for value in values])


def _with(value: Any, more: Mapping[str, Any]) -> Any:
    """Return a cell that asks for what the request does, unless it asks for something itself."""
    return {"image_base64": value, **more} if isinstance(value, str) and not value.lstrip().startswith("{") else value


def _split(table: Any, signature: Signature) -> Sequence[Any]:
    columns, rows = (table.get("columns"), table.get("data")) if isinstance(table, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise ServiceError("input_invalid", f"`dataframe_split` has no `columns` or no `data`. {_FORM}")
    names = [str(column) for column in columns]
    # a table of one column may leave out the lists around its values
    rows = [row if isinstance(row, list) else [row] for row in rows]
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ServiceError("input_invalid", f"Row {number} has {len(row)} values for {len(names)} columns. {_FORM}")
    _enforce(signature, names, "the table")
    position = names.index(signature.image_column)
    return [row[position] for row in rows]


def _records(rows: Any, signature: Signature) -> Sequence[Any]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServiceError("input_invalid", f"`dataframe_records` is not a list of objects. {_FORM}")
    for number, row in enumerate(rows):
        _enforce(signature, row, f"row {number}")
    return [row[signature.image_column] for row in rows]


def _instances(rows: Any, signature: Signature) -> Sequence[Any]:
    if isinstance(rows, list) and rows and isinstance(rows[0], dict) and "image_base64" not in rows[0]:
        return _records(rows, signature)
    if not isinstance(rows, list):
        raise ServiceError("input_invalid", f"The rows are a {type(rows).__name__}, not a list. {_FORM}")
    _enforce(signature, [signature.image_column], "a list of values")  # which are those of the pictures
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]


def _inputs(columns: Any, signature: Signature) -> Sequence[Any]:
    if not isinstance(columns, dict):
        return _instances(columns, signature)
    _enforce(signature, columns, "`inputs`")
    column = columns[signature.image_column]
    values = column if isinstance(column, list) else [column]
    return [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]


def _enforce(signature: Signature, columns: Collection[Any], what: str) -> None:
    if missing := signature.missing(columns):
        raise ServiceError(
            "signature_mismatch",
            f"Model is missing inputs {missing}: {what} has {_listed(columns)}. The signature is {signature}.",
        )


def _listed(names: Collection[Any]) -> str:
    return ", ".join(str(name)[:40] for name in list(names)[:8]) or "none"


_READERS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _inputs}


def _write(answer: ScoreResult) -> ResponseBody:
    return ResponseBody(b'{"predictions": [%s]}' % b", ".join(json_objects(answer.outcomes)))


def _fails(error: ServiceError, request_id: str) -> bytes:
    usual = "BAD_REQUEST" if error.status < 500 else "INTERNAL_ERROR"
    code = _CODES.get(error.code) or _CODES_BY_STATUS.get(error.status, usual)
    return json.dumps({"error_code": code, "message": error.message}).encode()


router = APIRouter(tags=["MLflow"])


@router.get("/ping")
@router.get("/health", include_in_schema=False)
async def ping(request: Request) -> Response:
    """Answer 200 only while a score would succeed."""
    context: AppState = request.app.state.context
    context.require_ready()
    return PlainTextResponse("\n", media_type="application/json")


@router.get("/version")
async def version() -> Response:
    """Name the version of MLflow whose protocol this is."""
    return PlainTextResponse(_SPOKEN, media_type="application/json")


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
    openapi=taking({"application/json": {"anyOf": _TABLES}, "text/csv": {"type": "string"}}),
)
