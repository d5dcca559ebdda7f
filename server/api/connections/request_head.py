"""What the head of a request must be, beyond what the parser checks."""

import re
from collections.abc import Sequence

from server.errors import ServiceError
from settings.excerpt import excerpt, shortened

MAX_BYTES = 2**16
MAX_FIELDS = 200
# RFC 3986, 3.2.2 and 3.2.3. Other characters could move the path where a URL is built from this header.
_HOST = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")

Headers = Sequence[tuple[bytes, bytes]]


def check_head(method: bytes, version: str, headers: Headers) -> None:
    """Raise ServiceError `malformed_request` where two servers could read a head in two ways.

    `version` is that of HTTP, such as "1.1"; names of headers are in lower case.
    """
    if version not in ("1.0", "1.1"):
        raise malformed(f"HTTP/{version} is not known here; expected HTTP/1.1")
    if method == b"CONNECT":
        raise malformed("CONNECT is for proxies")
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 and (hosts or version == "1.1"):
        raise malformed(f"it has {len(hosts)} Host headers; expected one")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise malformed(f"the Host {excerpt(hosts[0].decode('latin-1'))} is no name or address of a server")
    for name, value in headers:
        if name == b"transfer-encoding" and (version == "1.0" or value.lower() != b"chunked"):
            given = excerpt(value.decode("latin-1"))
            raise malformed(f"Transfer-Encoding is {given} in HTTP/{version}; expected chunked in HTTP/1.1")


def malformed(reason: object) -> ServiceError:
    """Return the error of a request that is no valid HTTP, for this reason."""
    return ServiceError(
        "malformed_request", f"The request is not valid HTTP: {shortened(str(reason), 200)}. The connection is closed."
    )


def too_large() -> ServiceError:
    """Return the error of headers or trailers beyond the bounds."""
    return ServiceError(
        "headers_too_large",
        f"The path and headers, or the trailers, have more than {MAX_BYTES} bytes or {MAX_FIELDS} fields. Send fewer.",
    )
