"""The protocols of this server: one for each file of server/protocols/, and which of them share a path."""

from collections.abc import Callable, Mapping, Sequence

from models.discovery import constants
from server import protocols
from server.errors import ServiceError
from server.protocol import Protocol

PROTOCOLS: tuple[Protocol, ...] = tuple(protocol for _, protocol in constants(protocols, "PROTOCOL"))

# in the order of the paths, which is also that of the API page
PROTOCOLS_BY_PATH: Mapping[str, Sequence[Protocol]] = {
    path: [protocol for protocol in PROTOCOLS if path in protocol.paths]
    for path in sorted({path for protocol in PROTOCOLS for path in protocol.paths})
}


def error_writer(path: str) -> Callable[[ServiceError, str], bytes] | None:
    """Return the function that writes errors for `path`, given an error and a request id.

    None where no protocol claims the path: errors then have the server's own form.
    """
    for protocol in PROTOCOLS:
        if protocol.prefix and (path == protocol.prefix or path.startswith(protocol.prefix + "/")):
            return protocol.write_error
    return None
