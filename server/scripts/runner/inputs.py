"""The arguments of `run()` from a request: the body as text, or the values that @input_schema names."""

import json
from collections.abc import Iterable
from inspect import Parameter
from typing import Any
from urllib.parse import parse_qsl

from server.ipc.raw_http import RawRequest


class InputError(Exception):
    """A request with which run() cannot be called. `code` is one of the error codes of the product."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def text_of(request: RawRequest) -> str:
    """Return the body as text, or the query of a GET as a JSON object. Raises InputError `body_not_text`."""
    if request.method == "GET":
        return json.dumps(query_values(request.query))
    try:
        return request.body.decode()
    except UnicodeDecodeError as error:
        raise InputError("body_not_text", f"Input cannot be decoded as UTF-8: {error}") from None


def parameters_of(request: RawRequest, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Return a value of the body, or of the query of a GET, for each of `parameters`.

    Raises InputError `content_type`, `body_empty`, `body_not_json`, `body_not_object` or `input_missing`.
    """
    content = query_values(request.query) if request.method == "GET" else _object(request)
    values = {}
    for parameter in parameters:
        values[parameter.name] = content.get(parameter.name, parameter.default)
        if values[parameter.name] is Parameter.empty:
            raise InputError("input_missing", f"A value is not provided for the {parameter.name!r} parameter.")
    return values


def query_values(query: str) -> dict[str, Any]:
    """Read a query. Each value is read as JSON, or else as text; a name that is repeated gets a list of values."""
    lists: dict[str, list[Any]] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        lists.setdefault(name, []).append(_value(text))
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}


def headers_of(request: RawRequest) -> dict[str, str]:
    """Return the headers with each word of their names capitalised. Values of a repeated name are joined by commas."""
    lists: dict[str, list[str]] = {}
    for name, value in request.headers:
        lists.setdefault(capitalised(name), []).append(value)
    return {name: ",".join(values) for name, values in lists.items()}


def capitalised(name: str) -> str:
    """Return the name of a header with each word capitalised, as in Content-Type, which scripts expect."""
    return "-".join(word.capitalize() for word in name.split("-"))


def is_json(content_type: str) -> bool:
    """Return whether a content type is that of JSON."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _object(request: RawRequest) -> dict[str, Any]:
    if not is_json(dict(request.headers).get("content-type", "")):
        raise InputError("content_type", "Expects Content-Type to be application/json")
    if not request.body:
        raise InputError("body_empty", "POST body is empty. Expecting a JSON dictionary.")
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise InputError("body_not_json", f"POST body could not be decoded as JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError("body_not_object", "POST body should be a JSON dictionary.")
    return content


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
