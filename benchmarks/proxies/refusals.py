"""Requests that the server refuses before it has read their bodies, and what comes back through a proxy."""

import http.client
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

SCORING_KEY, ADMIN_KEY = "scoring", "admin"
BODY_BYTES = (47_000, 1_200_000)
_JPEG = {"content-type": "image/jpeg"}
_KEY = {"authorization": f"Bearer {SCORING_KEY}"}
_SCORING = (
    *("/score", "/invocations", "/v1/models/a:predict", "/v1/models/a:explain"),
    *("/v2/models/a/infer", "/v2/models/a/versions/1/infer"),
)
_BROKEN = "broken"  # in place of a status, where the connection broke


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A request and the status of its reply. `least_bytes`: smaller bodies are read before the reply."""

    name: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    least_bytes: int = 0


REFUSED = (
    *(RefusedRequest(f"no key at {path}", "POST", path, 401, _JPEG) for path in _SCORING),
    RefusedRequest("no admin key", "PUT", "/deployments/a", 401),
    RefusedRequest("unknown path", "POST", "/predict", 404, _JPEG),
    RefusedRequest("unknown model at /v1", "POST", "/v1/models/none:predict", 404, _KEY),
    RefusedRequest("unknown model at /v2", "POST", "/v2/models/none/infer", 404, _KEY),
    RefusedRequest("another method", "PUT", "/score", 405, _KEY | _JPEG),
    RefusedRequest("a body for a probe", "POST", "/health/ready", 405, _JPEG),
    RefusedRequest("large for a change", "PUT", "/traffic", 413, {"authorization": f"Bearer {ADMIN_KEY}"}, 2**16 + 1),
    RefusedRequest("a content type", "POST", "/invocations", 415, _KEY | {"content-type": "text/html"}),
    RefusedRequest("a compressed body", "POST", "/score", 415, _KEY | {"content-encoding": "zstd-of-mine"}),
    RefusedRequest("a long id", "POST", "/score", 431, _KEY | {"x-request-id": "x" * 101}),
)


def key_flags(folder: Path) -> Sequence[str]:
    """Write files of keys into a folder, and return the flags of a server that needs them."""
    flags = []
    for flag, key in (("--keys-file", SCORING_KEY), ("--admin-keys-file", ADMIN_KEY)):
        file = folder / f"{key}_keys"
        file.write_text(key)
        flags += [flag, str(file)]
    return flags


def lost_refusals(port: int, count: int, body_bytes: int, concurrency: int = 4, prefix: str = "") -> Counter[str]:
    """Send `count` requests with bodies of `body_bytes` in turns, each on a connection of its own.

    Returns how often each reply came that was not the expected one, such as "502 for no key at /score".
    """
    requests = [request for request in REFUSED if body_bytes >= request.least_bytes]
    body = b"\xff\xd8" + bytes(body_bytes - 2)

    def send(request: RefusedRequest) -> str:
        status = _status(port, request, prefix, body)
        return "" if status == str(request.status) else f"{status} for {request.name}"

    with ThreadPoolExecutor(concurrency) as pool:
        return Counter(filter(None, pool.map(send, islice(cycle(requests), count))))


def _status(port: int, request: RefusedRequest, prefix: str, body: bytes) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(request.method, prefix + request.path, body, dict(request.headers))
        reply = connection.getresponse()
        reply.read()
    except (OSError, http.client.HTTPException):
        return _BROKEN
    finally:
        connection.close()
    return str(reply.status)


def described(lost: Counter[str]) -> Sequence[str]:
    """Return a line for each kind of reply that was not expected."""
    return [f"{count} times {what}" for what, count in lost.most_common()]
