"""RequestIds: the ids of a request, its own and those that its client gave it, in the hosted endpoint's headers."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from server.errors import ServiceError

Headers = Sequence[tuple[bytes, bytes]]

_OURS, _CLIENTS, _LEGACY, _TRACE = b"x-request-id", b"x-ms-client-request-id", b"x-ms-request-id", b"traceid"
_NAMES = frozenset({_OURS, _CLIENTS, _LEGACY, _TRACE})
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class RequestIds:
    """The ids of one request. `request_id` is the one in the log; `echoed` are only repeated in the response.

    `too_long` names the headers that are, if any.
    """

    request_id: str
    echoed: Headers = ()
    too_long: str = ""

    @classmethod
    def of(cls, headers: Headers) -> "RequestIds":
        """Read the ids from the headers of a request, and make a request id where there is none.

        `x-ms-request-id` once stood for both other ids: it is echoed, and stands for the client's id where that is
        missing. Every response has one.
        """
        given = {name: value for name, value in headers if name in _NAMES and value}
        ours = given.get(_OURS, b"")
        if len(ours) > _LONGEST:
            return cls(str(uuid.uuid4()), too_long="x-request-id")
        request_id = ours.decode("latin-1") or str(uuid.uuid4())
        if len(given) == (_OURS in given):  # no other header, the usual case
            return cls(request_id, ((_LEGACY, request_id.encode("latin-1")),))
        legacy = given.get(_LEGACY, b"")
        clients = given.get(_CLIENTS, legacy)
        legacy = legacy or clients or request_id.encode("latin-1")
        if max(len(legacy), len(clients)) > _LONGEST:
            return cls(request_id, too_long="x-ms-request-id and x-ms-client-request-id")
        echoed = {_LEGACY: legacy, _CLIENTS: clients, _TRACE: given.get(_TRACE, b"")}
        return cls(request_id, tuple((name, value) for name, value in echoed.items() if value))

    def check(self) -> None:
        """Raise ServiceError `request_id_too_long` if one has too many characters."""
        if self.too_long:
            raise ServiceError("request_id_too_long", f"{self.too_long} must not exceed {_LONGEST} characters")

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the response."""
        return [(_OURS, self.request_id.encode("latin-1")), *self.echoed]
