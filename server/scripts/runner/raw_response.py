"""AMLResponse: a response that a script builds; and the reply for any value that `run()` returns."""

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from server.ipc.frame import MAX_FRAME_BYTES
from server.ipc.raw_http import RawReply
from server.scripts.runner.multi_dict import Headers

_FAILED = "x-ms-run-function-failed"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110: a token
_BREAKS = re.compile(r"[\r\n\0]")
_NO_HEADERS: Mapping[str, Any] = MappingProxyType({})


class AMLResponse:
    """A response: its status, headers and body. `message` is text, bytes, several of them, or None for an empty object.

    A message that is a dict, or any message with `json_str`, is written as JSON. Values of headers are split at commas.
    """

    def __init__(
        self,
        message: Any,
        status_code: int,
        response_headers: Mapping[str, Any] = _NO_HEADERS,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        as_json = json_str or message is None or isinstance(message, dict)
        self.status_code = status_code
        self.headers = Headers([("Content-Type", _JSON if as_json else _HTML), (_FAILED, str(run_function_failed))])
        self.data = to_json({} if message is None else message) if as_json else _bytes(message)
        for name in response_headers:
            if name.lower() == "content-type":
                self.headers.remove(name)
        for name, value in response_headers.items():
            for part in str(value).split(","):
                self.headers.add(name, part.strip())

    def get_data(self, as_text: bool = False) -> bytes | str:
        """Return the body."""
        return self.data.decode() if as_text else self.data

    def set_data(self, value: str | bytes) -> None:
        """Change the body."""
        self.data = _bytes(value)

    @property
    def content_type(self) -> str:
        """The content type of the body."""
        return str(self.headers.get("Content-Type", ""))

    @content_type.setter
    def content_type(self, value: str) -> None:
        self.headers["Content-Type"] = value

    @property
    def mimetype(self) -> str:
        """The content type in lower case, without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()


def reply_of(result: Any, exec_ms: float) -> RawReply:
    """Return the reply for a result of `run()`: a response, also one of Flask, is kept, all else becomes JSON.

    Raises TypeError or ValueError where the result cannot be sent.
    """
    if not all(hasattr(result, name) for name in ("status_code", "headers", "get_data")):
        return RawReply(headers=(("Content-Type", _JSON),), body=_bounded(to_json(result)), exec_ms=exec_ms)
    status = int(result.status_code)
    if not 200 <= status < 600:
        raise ValueError(f"The status of a response is {status}; expected a number from 200 to 599.")
    pairs = [(str(name), str(value)) for name, value in result.headers.items()]
    failed = status >= 500 or any(name.lower() == _FAILED and value == "True" for name, value in pairs)
    headers = tuple(_checked(name, value) for name, value in pairs if name.lower() != _FAILED)
    return RawReply(status, headers, _bounded(result.get_data()), failed, exec_ms)


def to_json(value: Any) -> bytes:
    """Encode a value as JSON, including numpy's arrays and numbers, and tensors. Raises TypeError for other objects."""
    return json.dumps(value, default=_plain).encode()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(
        f"run() returned something with a {type(value).__name__}, which JSON has no form for. Return lists, dicts, "
        "texts and numbers, or an AMLResponse."
    )


def _bytes(message: Any) -> bytes:
    if isinstance(message, (bytes, bytearray, memoryview)):
        return bytes(message)
    if isinstance(message, str):
        return message.encode()
    if isinstance(message, Iterable):
        return b"".join(map(_bytes, message))
    raise TypeError(f"The message of a response is a {type(message).__name__}; expected text or bytes.")


def _checked(name: str, value: str) -> tuple[str, str]:
    value.encode("latin-1")
    if not _NAME.fullmatch(name) or _BREAKS.search(value):
        raise ValueError(f"The header {name!r}: {value!r} of a response cannot be sent: it would break the response.")
    return name, value


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"The reply has {len(body)} bytes; the most that can be sent is {MAX_FRAME_BYTES}.")
    return body
