"""Request bodies: read within limits of size and time, then parsed by their content type."""

import asyncio
import codecs
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from starlette.datastructures import Headers

from models.images.formats.signatures import format_of
from server.codecs.bodies_in_flight import HeldBody
from server.codecs.compression import NOT_COMPRESSED, Decompressor
from server.codecs.json_text import parse_json
from server.codecs.multipart import form_files
from server.errors import ServiceError
from settings.excerpt import excerpt

_JSON = ("application/json", "text/json")
FORM = "multipart/form-data"
# These say nothing about the content: curl sends a form's type by default, and many clients call a JSON file
# octet-stream. The body itself has to tell.
UNSPECIFIC_TYPES = ("", "application/octet-stream", "application/x-www-form-urlencoded")
_LARGE_BYTES = 2**20
# in this order: the mark of UTF-16 begins like that of UTF-32
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Content = bytes | dict[str, Any] | list[bytes]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RequestBody:
    """The bytes of a request's body, and the request's headers."""

    data: bytes
    headers: Headers

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def content(self) -> Content:
        """Return the bytes of a raw image, the dict of a JSON object, or a list with the files of a form.

        ServiceError: `body_empty`, `body_not_json`, `body_not_object`, `too_many_values` or `form_invalid`.
        """
        if self.media_type == FORM:
            return await run_in_thread_if_large(
                len(self.data), lambda: form_files(self.data, self.headers["content-type"])
            )
        return self.data if self._is_raw() else await parsed_object(self.data)

    def _is_raw(self) -> bool:
        """Whether the body is bytes of an image, also where a client that calls all bodies JSON says otherwise."""
        if self.data[:1] in (b"", b"{") or _begins_object(self.data):
            return False
        return not is_json(self.media_type) or format_of(self.data) is not None


async def read_body(
    request: Request,
    max_bytes: int,
    deadline: float,
    *,
    accepts_media_type: Callable[[str], bool],
    media_types: str,
    held: HeldBody | None = None,
) -> RequestBody:
    """Read a body, decompress it where its content encoding says so, and count its bytes in `held`.

    It has to arrive before `deadline` (monotonic seconds), and to have at most `max_bytes`, also once decompressed.
    `accepts_media_type` checks its content type, and `media_types` says in words which are accepted. ServiceError:
    `content_type`, `content_encoding`, `compression_invalid`, `body_timeout`, or at once `body_too_large` or
    `queue_full`.
    """
    body = RequestBody(b"", request.headers)
    if not accepts_media_type(body.media_type):
        raise ServiceError(
            "content_type",
            f"The content type {excerpt(body.media_type)} is not accepted. Expects Content-Type to be {media_types}.",
        )
    encoding = request.headers.get("content-encoding", "").strip().lower()
    decompressor = None if encoding in NOT_COMPRESSED else Decompressor(encoding)
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            chunks = _chunks(request, max_bytes, held, decompressor)
            return replace(body, data=b"".join([chunk async for chunk in chunks]))
    except TimeoutError:
        raise ServiceError("body_timeout", "The body did not arrive in time. Send it faster, or send less.") from None


def is_json(media_type: str) -> bool:
    """Tell whether a media type is one of JSON's."""
    return media_type in _JSON or media_type.endswith("+json")


async def run_in_thread_if_large(size: int, work: Callable[[], T]) -> T:
    """Run `work` on `size` bytes: in a thread above one MiB, so that the event loop still answers probes meanwhile."""
    return await asyncio.to_thread(work) if size > _LARGE_BYTES else work()


async def parsed_object(data: bytes, parse: Callable[[bytes], Any] = parse_json) -> dict[str, Any]:
    """Parse a JSON object. ServiceError: `body_empty`, `body_not_json`, `body_not_object` or `too_many_values`."""
    if not data:
        raise ServiceError("body_empty", "POST body is empty. See /docs for what it may hold.")
    try:
        content = await run_in_thread_if_large(len(data), partial(parse, data))
    except ValueError as error:
        raise ServiceError("body_not_json", f"POST body could not be decoded as JSON: {error}") from None
    if not isinstance(content, dict):
        raise ServiceError(
            "body_not_object", f"POST body should be a JSON dictionary, but is a {type(content).__name__}."
        )
    return content


def _begins_object(data: bytes) -> bool:
    """Tell whether bytes begin as a JSON object does, in UTF-8, UTF-16 or UTF-32."""
    head = data[:64]
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    return head.removeprefix(mark).lstrip(b" \t\r\n\0").startswith(b"{")


async def _chunks(
    request: Request, max_bytes: int, held: HeldBody | None, decompressor: Decompressor | None
) -> AsyncIterator[bytes]:
    stream = request.stream()
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(int(announced), max_bytes)
    received = size = 0
    async for chunk in stream:
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(received, max_bytes)
        if decompressor is None:
            if held is not None:
                held.grow(len(chunk))
            yield chunk
            continue
        async for piece in decompressor.pieces(chunk):
            size += len(piece)
            if size > max_bytes:
                raise _too_large(size, max_bytes, " once decompressed")
            if held is not None:
                held.grow(len(piece))
            yield piece
    if decompressor is not None:
        decompressor.finish()


def _too_large(size: int, max_bytes: int, when: str = "") -> ServiceError:
    return ServiceError(
        "body_too_large",
        f"The body has {size} bytes or more{when}; this server accepts up to {max_bytes}. Send fewer or smaller "
        "pictures.",
    )
