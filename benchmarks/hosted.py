"""The HTTP server of the hosted endpoint beside this one: python -m benchmarks.hosted.

Both serve the same checkpoint and get the same requests. Prints each request with the differences between its replies:
status, headers that only one reply has or whose values differ, and body. Nothing is measured.
"""

import base64
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.payload import encoded_images
from benchmarks.peers.peer_server import PeerServer
from benchmarks.serving import free_port, seeded_folder

_CLOSE = 1e-5  # of a probability
# Headers that always differ: the date, fresh ids, times, lengths of other texts
_VOLATILE = frozenset({"date", "content-length", "x-ms-run-fn-exec-ms", "server-timing", "server", "connection"})
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """A named request."""

    name: str
    method: str
    path: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """How the replies of two servers differ: theirs first, then ours."""

    status: tuple[int, int] | None
    headers: Mapping[str, tuple[str | None, str | None]]
    body: tuple[str, str] | None

    def lines(self) -> Iterator[str]:
        """Yield a line for each difference."""
        if self.status:
            yield f"status {self.status[0]} there, {self.status[1]} here"
        for name, (theirs, ours) in sorted(self.headers.items()):
            yield f"header {name}: {theirs or '-'} there, {ours or '-'} here"
        if self.body:
            yield f"body there: {self.body[0]}"
            yield f"body here:  {self.body[1]}"


def requests() -> list[EndpointRequest]:
    """Return the requests that both servers get."""
    cells = [base64.b64encode(image).decode() for image in encoded_images(count=3)]
    table = {"columns": ["image"], "data": cells}
    body = json.dumps({"input_data": table}).encode()
    one = json.dumps({"input_data": {"columns": ["image"], "data": cells[:1]}}).encode()

    def post(name: str, content: bytes, **headers: str) -> EndpointRequest:
        return EndpointRequest(
            name, "POST", "/score", content, _JSON | {key.replace("_", "-"): value for key, value in headers.items()}
        )

    ids = {"x_request_id": "ours", "x_ms_client_request_id": "clients", "x_ms_request_id": "legacy"}
    query = urlencode({"input_data": json.dumps({"columns": ["image"], "data": [cells[0][:2000]]})})
    return [
        post("three images", body),
        post("one image", one, x_request_id="r"),
        *(post(f"{name} alone", one, **{"x_request_id": "r", name: value}) for name, value in ids.items()),
        post("all ids", one, **ids),
        post("a trace id", one, x_request_id="r", traceid="t"),
        *(post(f"{name} too long", one, **{"x_request_id": "r", name: "x" * 101}) for name in ids),
        EndpointRequest(
            "another content type", "POST", "/score", one, {"content-type": "text/plain", "x-request-id": "r"}
        ),
        post("no body", b"", x_request_id="r"),
        post("no JSON", b"{", x_request_id="r"),
        post("a JSON list", b"[1]", x_request_id="r"),
        post("no input_data", b"{}", x_request_id="r"),
        post("no base64", json.dumps({"input_data": {"columns": ["image"], "data": ["%"]}}).encode(), x_request_id="r"),
        EndpointRequest("a probe", "GET", "/", headers={"x-request-id": "r"}),
        EndpointRequest("a probe without a body", "HEAD", "/", headers={"x-request-id": "r"}),
        EndpointRequest("score, got", "GET", "/score", headers={"x-request-id": "r"}),
        EndpointRequest("score, got with a query", "GET", f"/score?{query}", headers={"x-request-id": "r"}),
        EndpointRequest("options", "OPTIONS", "/score", headers={"x-request-id": "r"}),
        EndpointRequest("another method", "DELETE", "/score", headers={"x-request-id": "r"}),
        EndpointRequest("another method of a probe", "POST", "/", headers={"x-request-id": "r"}),
        EndpointRequest("another path", "GET", "/nothing", headers={"x-request-id": "r"}),
        EndpointRequest("an unknown swagger", "GET", "/swagger.json?version=9", headers={"x-request-id": "r"}),
    ]


@contextmanager
def both() -> Iterator[tuple[int, int]]:
    """Start both servers with one checkpoint, and yield their ports: theirs, ours."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        folder = seeded_folder("resnet18", Path(scratch) / "resnet18")
        theirs = running.enter_context(PeerServer("azureml_hosted", folder / "model.pt", free_port()))
        ours = running.enter_context(BenchServer(folder, free_port()))
        yield theirs.port, ours.port


def compared(request: EndpointRequest, theirs: int, ours: int) -> Difference:
    """Send a request to both, and tell what differs."""
    one, other = (_reply(request, port) for port in (theirs, ours))
    names = (set(one.headers) | set(other.headers)) - _VOLATILE
    headers = {name: (one.headers.get(name), other.headers.get(name)) for name in names}
    return Difference(
        (one.status_code, other.status_code) if one.status_code != other.status_code else None,
        {name: values for name, values in headers.items() if values[0] != values[1]},
        None if _alike(one, other) else (_shown(one), _shown(other)),
    )


def _reply(request: EndpointRequest, port: int) -> httpx.Response:
    url = f"http://127.0.0.1:{port}{request.path}"
    return httpx.request(request.method, url, content=request.content, headers=request.headers, timeout=60)


def _alike(one: httpx.Response, other: httpx.Response) -> bool:
    if one.content == other.content:
        return True
    try:
        return _same(one.json(), other.json())
    except ValueError:
        return False


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _CLOSE
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _shown(reply: httpx.Response) -> str:
    return reply.text[:200]


def main() -> None:
    """Print all differences."""
    with both() as (theirs, ours):
        for request in requests():
            lines = [*compared(request, theirs, ours).lines()]
            print(f"{request.name}: {request.method} {request.path[:40]}" + ("" if lines else ": the same"))
            for line in lines:
                print(f"    {line}")


if __name__ == "__main__":
    main()
