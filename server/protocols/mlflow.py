"""MLflow's scoring protocol (https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally).

A table with a column of images in base64, as `mlflow models serve` reads it: JSON in any of four forms, or CSV.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from models.folder.signature import Signature
from server.codecs.body import RequestBody, is_json, parsed_object, run_in_thread_if_large
from server.codecs.csv_text import CsvError, csv_rows
from server.codecs.image_inputs import EXPLAINS, parse_item, shared_options
from server.codecs.outcomes import hosted_objects
from server.errors import ServiceError
from server.openapi.predictions import PREDICTION
from server.openapi.schemas import (
    COLUMNS,
    IMAGE,
    JSON,
    REQUEST_PARAMETERS,
    SQUARE,
    TEXT,
    any_of,
    array_of,
    json_reply,
    list_of,
    named,
    object_schema,
    request_body,
)
from server.protocol import Protocol, ProtocolRequest, ResponseBody, ScoreRequest, ScoreResult, deployments_of
from settings.excerpt import excerpt

_MLFLOW_VERSION = "3.1.0"  # the version of MLflow whose protocol this is
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_EXPECTED = 'Expected {"dataframe_split": {"columns": ["image"], "data": [[BASE64], ...]}} or another form of a table.'
_RECORD = named("ImageRecord", object_schema({"image": IMAGE}))
_TABLES = [
    named(name, object_schema({form: schema}, params=REQUEST_PARAMETERS))
    for name, form, schema in (
        (
            "DataframeSplitRequest",
            "dataframe_split",
            named("DataframeSplit", object_schema({"columns": COLUMNS, "data": array_of(array_of(IMAGE))})),
        ),
        ("DataframeRecordsRequest", "dataframe_records", array_of(_RECORD)),
        ("MlflowInstancesRequest", "instances", array_of(any_of(IMAGE, _RECORD))),
        (
            "InputsRequest",
            "inputs",
            any_of(array_of(IMAGE), named("ImageColumn", object_schema({"image": array_of(IMAGE)}))),
        ),
    )
]
_ERROR = named("MlflowError", object_schema({"error_code": TEXT, "message": TEXT}))
_OPENAPI = {
    "operationId": "invocations",
    **request_body(
        {JSON: any_of(*_TABLES), "text/csv": TEXT},
        examples={"a table": {"dataframe_split": {"columns": ["image"], "data": [[SQUARE]]}}},
    ),
    **json_reply(named("InvocationsReply", object_schema({"predictions": list_of(PREDICTION)})), error=_ERROR),
}
# MLflow's error codes for some of ours, and for the other errors of a status
_CODES = {"signature_mismatch": "INVALID_PARAMETER_VALUE", "model_unknown": "RESOURCE_DOES_NOT_EXIST"}
_CODES_BY_STATUS = {
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


async def _parse(body: RequestBody) -> dict[str, Any]:
    if body.media_type != "text/csv":
        return await parsed_object(body.data)
    return await run_in_thread_if_large(len(body.data), partial(_table, body.data))


def _table(data: bytes) -> dict[str, Any]:
    """Read CSV whose first line holds the column names. It may begin with a byte order mark."""
    try:
        lines = csv_rows(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, CsvError) as error:
        raise ServiceError("input_invalid", f"The CSV cannot be read: {error}.") from None
    if not lines:
        raise ServiceError("input_invalid", "The CSV has no lines. Expected a line of column names, and one a picture.")
    return {"dataframe_split": {"columns": lines[0], "data": lines[1:]}}


def _read(request: ProtocolRequest) -> ScoreRequest:
    given = [form for form in _FORMS if form in request.content]
    if len(given) != 1:
        raise ServiceError(
            "input_invalid",
            f"Invalid input. The input must be a JSON dictionary with exactly one of the fields {', '.join(_FORMS)}; "
            f"received {_first_names(request.content)}.",
        )
    explains, options = shared_options(request.content.get("params"), "params")
    common = {**options, EXPLAINS: explains}
    items = _ROW_READERS[given[0]](request.content[given[0]], request.model.signature)
    if not items:
        raise ServiceError("input_invalid", f"`{given[0]}` has no rows. {_EXPECTED}")
    request.check_image_count(len(items))
    return ScoreRequest([parse_item(_with_options(item, common), {}) for item in items])


def _with_options(item: Any, common: Mapping[str, Any]) -> Any:
    """Return an item with the options of the request, unless it is an object and so has its own."""
    return {"image_base64": item, **common} if isinstance(item, str) and not item.lstrip().startswith("{") else item


def _split(table: Any, signature: Signature) -> Sequence[Any]:
    columns, rows = (table.get("columns"), table.get("data")) if isinstance(table, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise ServiceError("input_invalid", f"`dataframe_split` has no `columns` or no `data`. {_EXPECTED}")
    names = [str(column) for column in columns]
    # a table of one column may leave out the lists around its values
    rows = [row if isinstance(row, list) else [row] for row in rows]
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ServiceError(
                "input_invalid", f"Row {number} has {len(row)} values for {len(names)} columns. {_EXPECTED}"
            )
    _require_columns(signature, names, "the table")
    position = names.index(signature.image_column_in(names))
    return [row[position] for row in rows]


def _records(rows: Any, signature: Signature) -> Sequence[Any]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServiceError("input_invalid", f"`dataframe_records` is not a list of objects. {_EXPECTED}")
    for number, row in enumerate(rows):
        _require_columns(signature, row, f"row {number}")
    return [row[signature.image_column_in(row)] for row in rows]


def _instances(rows: Any, signature: Signature) -> Sequence[Any]:
    if isinstance(rows, list) and rows and isinstance(rows[0], dict) and "image_base64" not in rows[0]:
        return _records(rows, signature)
    if not isinstance(rows, list):
        raise ServiceError("input_invalid", f"The rows are a {type(rows).__name__}, not a list. {_EXPECTED}")
    _require_columns(signature, [signature.image_column], "a list of values")  # all of one column, that of the images
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]


def _inputs(columns: Any, signature: Signature) -> Sequence[Any]:
    if not isinstance(columns, dict):
        return _instances(columns, signature)
    _require_columns(signature, columns, "`inputs`")
    column = columns[signature.image_column_in(columns)]
    values = column if isinstance(column, list) else [column]
    return [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]


def _require_columns(signature: Signature, columns: Collection[Any], what: str) -> None:
    if missing := signature.missing(columns):
        raise ServiceError(
            "signature_mismatch",
            f"Model is missing inputs {missing}: {what} has {_first_names(columns)}. The signature is {signature}.",
        )


def _first_names(names: Collection[Any]) -> str:
    # those of a table may be lists as deep as the body, so no more of them is written than is shown
    return ", ".join(name[:40] if isinstance(name, str) else excerpt(name)[:40] for name in [*names][:8]) or "none"


_ROW_READERS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _inputs}


def _write(result: ScoreResult) -> ResponseBody:
    return ResponseBody(b'{"predictions": [%s]}' % b", ".join(hosted_objects(result.outcomes, result.model)))


def _write_error(error: ServiceError, request_id: str) -> bytes:
    usual = "BAD_REQUEST" if error.status < 500 else "INTERNAL_ERROR"
    code = _CODES.get(error.code) or _CODES_BY_STATUS.get(error.status, usual)
    return json.dumps({"error_code": code, "message": error.message}).encode()


router = APIRouter(tags=["MLflow"])


@router.get("/ping", response_class=PlainTextResponse)
@router.get("/health", include_in_schema=False)
async def ping(request: Request) -> Response:
    """Answer 200 only while a score would succeed."""
    deployments_of(request).require_ready()
    return PlainTextResponse("\n")


@router.get("/version", response_class=PlainTextResponse)
async def version() -> Response:
    """Return the version of MLflow whose protocol this is."""
    return PlainTextResponse(_MLFLOW_VERSION)


PROTOCOL = Protocol(
    "mlflow",
    ("/invocations",),
    "Score the images in a table, as MLflow's server does.",
    _read,
    _write,
    accepts_media_type=lambda media_type: media_type == "text/csv" or is_json(media_type),
    media_types="text/csv or application/json",
    parse=_parse,
    prefix="/invocations",
    write_error=_write_error,
    router=router,
    openapi={"/invocations": _OPENAPI},
)
