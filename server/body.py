"""Reads request bodies within bounds of size and time, and tells what kind of content they are."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from fastapi import Request
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from server.errors import ServiceError

_JSON = ("application/json", "text/json")
FORM = "multipart/form-data"
_LINGER_S = 2.0
_ASIDE_BYTES = 2**20

Content = bytes | dict[str, Any] | list[bytes]


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body as it came, and what it is said to be."""

    data: bytes
    headers: Headers

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def content(self) -> Content:
        """Return bytes for a raw picture, a dict for a JSON object, a list with the files of a form.

        ServiceError: `body_empty`, `body_not_json`, `body_not_object` or `form_invalid`.
        """
        if self.media_type == FORM:
            return await self._form()
        if not is_json(self.media_type) and self.data and self.data[:64].lstrip()[:1] != b"{":
            return self.data
        return await parsed_object(self.data)

    async def _form(self) -> list[bytes]:
        async def chunks() -> AsyncIterator[bytes]:
            yield self.data

        try:
            form = await MultiPartParser(self.headers, chunks()).parse()  # type: ignore[arg-type]
        except (MultiPartException, KeyError) as error:
            reason = getattr(error, "message", "it has no boundary")
            raise ServiceError("form_invalid", f"The multipart form cannot be read: {reason}.") from None
        try:
            return [await part.read() for _, part in form.multi_items() if not isinstance(part, str)]
        finally:
            await form.close()


async def read_body(
    request: Request, max_bytes: int, deadline: float, *, takes: Callable[[str], bool], types: str
) -> Body:
    """Read a body. ServiceError: `content_type`, `body_too_large` as soon as that is known, or `body_timeout`.

    It has to be here at the deadline (monotonic seconds). `takes` tells whether its content type is accepted, and
    `types` which are.
    """
    body = Body(b"", request.headers)
    if not takes(body.media_type):
        raise ServiceError(
            "content_type",
            f"The content type {body.media_type!r} is not accepted. Expects Content-Type to be {types}.",
        )
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            return replace(body, data=b"".join([chunk async for chunk in _bounded(request, max_bytes)]))
    except TimeoutError:
        raise ServiceError("body_timeout", "The body did not arrive in time. Send it faster, or send less.") from None


def is_json(media_type: str) -> bool:
    """Whether a content type promises JSON."""
    return media_type in _JSON or media_type.endswith("+json")


async def parsed_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object. ServiceError: `body_empty`, `body_not_json` or `body_not_object`."""
    if not data:
        raise ServiceError("body_empty", "POST body is empty. Send a picture, or a JSON object with input_data.")
    # parsing megabytes would hold up the probes that this event loop answers
    content = await asyncio.to_thread(_parsed, data) if len(data) > _ASIDE_BYTES else _parsed(data)
    if not isinstance(content, dict):
        raise ServiceError(
            "body_not_object", f"POST body should be a JSON dictionary, but is a {type(content).__name__}."
        )
    return content


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass  # it takes less than the standard library does, such as NaN and other encodings, and says less of errors
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ServiceError("body_not_json", f"POST body could not be decoded as JSON: {error}") from None


async def _bounded(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        # a client that waits for "100 Continue" has not sent the body and never will
        if request.headers.get("expect", "").lower() != "100-continue":
            await _linger(request)
        raise _too_large(int(announced), max_bytes)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes:
            await _linger(request)
            raise _too_large(received, max_bytes)
        yield chunk


async def _linger(request: Request) -> None:
    # A client that is still sending would see a broken connection instead of the answer: read on for a while
    try:
        async with asyncio.timeout(_LINGER_S):
            async for _ in request.stream():
                pass
    except TimeoutError:
        pass


def _too_large(size: int, max_bytes: int) -> ServiceError:
    return ServiceError(
        "body_too_large",
        f"The body has {size} bytes or more; this server accepts up to {max_bytes}. Send fewer or smaller pictures.",
    )
