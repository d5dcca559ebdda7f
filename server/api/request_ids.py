"""RequestIds: how a request is called by whoever sent it and by this server, in the headers of the hosted endpoint."""

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
    """The ids of one request. `request` is the one in the log; the others are only repeated, where there are any."""

    request: str
    repeated: Headers = ()
    too_long: str = ""

    @classmethod
    def of(cls, headers: Headers) -> "RequestIds":
        """Read the ids in the headers of a request; one that has none is given one.

        `x-ms-request-id`, which once stood for both other ids, is repeated, and is the client's id where that is
        missing; a reply has one in any case.
        """
        given = {name: value for name, value in headers if name in _NAMES and value}
        ours = given.get(_OURS, b"")
        if len(ours) > _LONGEST:
            return cls(str(uuid.uuid4()), too_long="x-request-id")
        request = ours.decode("latin-1") or str(uuid.uuid4())
        if len(given) == (_OURS in given):  # as most requests are
            return cls(request, ((_LEGACY, request.encode("latin-1")),))
        legacy = given.get(_LEGACY, b"")
        clients = given.get(_CLIENTS, legacy)
        legacy = legacy or clients or request.encode("latin-1")
        if max(len(legacy), len(clients)) > _LONGEST:
            return cls(request, too_long="x-ms-request-id and x-ms-client-request-id")
        repeated = {_LEGACY: legacy, _CLIENTS: clients, _TRACE: given.get(_TRACE, b"")}
        return cls(request, tuple((name, value) for name, value in repeated.items() if value))

    def check(self) -> None:
        """Raise ServiceError `request_id_too_long` if one is."""
        if self.too_long:
            raise ServiceError("request_id_too_long", f"{self.too_long} must not exceed {_LONGEST} characters")

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the reply."""
        return [(_OURS, self.request.encode("latin-1")), *self.repeated]
