"""A ServiceError as gRPC tells it: a status code, a text, and details for programs in the trailing metadata."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from grpc import StatusCode

from server.api.rpc.messages import ERROR_DETAILS
from server.errors import ServiceError

Metadata = Sequence[tuple[str, str | bytes]]

# a client drops a response whose metadata have more than 8 kB, and its error would be about that
_LONGEST_TEXT_BYTES = 2500
_MOST_DETAIL_BYTES = 2500

_BY_HTTP_STATUS = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    405: StatusCode.UNIMPLEMENTED,
    408: StatusCode.DEADLINE_EXCEEDED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    500: StatusCode.INTERNAL,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}


def status_code(error: ServiceError) -> StatusCode:
    """Return the status code of an error; those of a request that is wrong in itself are INVALID_ARGUMENT."""
    if error.code == "body_too_large":  # as the library says of a message that is too large
        return StatusCode.RESOURCE_EXHAUSTED
    return _BY_HTTP_STATUS.get(error.status, StatusCode.INVALID_ARGUMENT)


def status_text(error: ServiceError) -> str:
    """Return the message of an error, shortened so that a client accepts it in its encoded form."""
    text = error.message
    if len(text) * 9 <= _LONGEST_TEXT_BYTES:  # no character takes more
        return text
    while len(quote(text, safe=" ")) > _LONGEST_TEXT_BYTES:
        text = text[: int(len(text) * 0.9)]
    return text if text == error.message else text[:-3] + "..."


def error_metadata(error: ServiceError) -> Metadata:
    """Return the trailing metadata of an error.

    `error-code` is its code in the server's table. `grpc-retry-pushback-ms` tells the retries of gRPC clients when to
    try again. `grpc-status-details-bin` holds both in Google's form, and the bad images of a request.
    """
    metadata: list[tuple[str, str | bytes]] = [("error-code", error.code)]
    if error.retry_after_s is not None:
        metadata.append(("grpc-retry-pushback-ms", str(max(1, round(1000 * error.retry_after_s)))))
    return [*metadata, ("grpc-status-details-bin", _details(error))]


def _details(error: ServiceError) -> bytes:
    status = ERROR_DETAILS["Status"](code=status_code(error).value[0], message=status_text(error))
    _add(status, ERROR_DETAILS["ErrorInfo"](reason=error.code, domain="sightglass"))
    if error.retry_after_s is not None:
        retry = ERROR_DETAILS["RetryInfo"]()
        retry.retry_delay.FromMilliseconds(max(1, round(1000 * error.retry_after_s)))
        _add(status, retry)
    room = _MOST_DETAIL_BYTES - status.ByteSize()
    if violations := list(_within(room, map(_violation, error.details))):
        _add(status, ERROR_DETAILS["BadRequest"](field_violations=violations))
    return bytes(status.SerializeToString())


def _add(status: Any, detail: Any) -> None:
    status.details.add().Pack(detail)


def _violation(detail: Any) -> Any:
    return ERROR_DETAILS["BadRequest.FieldViolation"](
        field=f"inputs[0][{detail['position']}]", description=str(detail["message"])[:200], reason=str(detail["code"])
    )


def _within(room: int, messages: Iterable[Any]) -> Iterable[Any]:
    for message in messages:
        room -= message.ByteSize() + 4
        if room < 0:
            return
        yield message
