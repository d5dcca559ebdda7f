"""The routes and headers of the hosted endpoint, on the real server."""

import base64
import itertools
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.compatibility import lines, parts
from tests.support import http
from tests.support.contract import contract
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

FINE = encoded(painted(1, 120, 90), "JPEG")
ORIGIN = "https://pages.example"
OURS, CLIENTS, LEGACY = "x-request-id", "x-ms-client-request-id", "x-ms-request-id"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def health_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(fridge_folder: Path, health_port: int) -> Iterator[LiveServer]:
    env = {
        "AZUREML_MODEL_DIR": str(fridge_folder),
        "AML_CORS_ORIGINS": f"{ORIGIN},https://other.example",
        "SERVICE_NAME": "fridge",
        "SERVICE_PATH_PREFIX": "/api",
        "HEALTH_PORT": str(health_port),
        "SEPERATE_HEALTH_ENDPOINT": "true",
    }
    with LiveServer(env=env) as running:
        yield running


def score(server: LiveServer, **headers: str) -> httpx.Response:
    return http.post(server.url + "/score", content=FINE, headers=headers, timeout=30)


@contract(
    "Routes, headers and life cycle",
    "`x-request-id` is repeated or made, `x-ms-client-request-id` repeated, `x-ms-request-id` is whichever there is",
)
@pytest.mark.parametrize(
    "given", [set(each) for n in range(4) for each in itertools.combinations((OURS, CLIENTS, LEGACY), n)]
)
def test_ids_of_requests_are_told_as_the_original_tells_them(server: LiveServer, given: set[str]) -> None:
    sent = {name: f"id-{number}" for number, name in enumerate((OURS, CLIENTS, LEGACY)) if name in given}
    headers = score(server, **sent).headers
    assert headers[OURS] == sent[OURS] if OURS in sent else len(headers[OURS]) == 36
    assert headers.get(CLIENTS) == sent.get(CLIENTS, sent.get(LEGACY))
    assert headers[LEGACY] == sent.get(LEGACY, sent.get(CLIENTS, headers[OURS]))


@contract("Routes, headers and life cycle", "431 for ids of more than 100 characters")
@pytest.mark.parametrize("name", [OURS, CLIENTS, LEGACY])
def test_long_ids_are_refused(server: LiveServer, name: str) -> None:
    assert score(server, **{name: "x" * 100}).status_code == 200
    reply = score(server, **{name: "x" * 101})
    assert reply.status_code == 431
    assert "must not exceed 100 characters" in reply.json()["message"]
    assert name in reply.json()["message"]


@contract(
    "Routes, headers and life cycle",
    "`x-ms-run-function-failed`, `x-ms-run-fn-exec-ms` of what succeeded, `x-ms-server-version`, `TraceId` repeated",
)
def test_what_the_headers_tell_of_a_run(server: LiveServer) -> None:
    headers = score(server, TraceId="trace-1").headers
    assert headers["x-ms-run-function-failed"] == "False"
    assert 0 < float(headers["x-ms-run-fn-exec-ms"]) < 30_000
    assert len(headers["x-ms-run-fn-exec-ms"].partition(".")[2]) == 3
    assert headers["x-ms-server-version"].startswith("sightglass/")
    assert headers["traceid"] == "trace-1"
    bad = http.post(server.url + "/score", content=b"{", headers={"content-type": "application/json"})
    assert (bad.status_code, bad.headers["x-ms-run-function-failed"]) == (400, "False")
    assert "x-ms-run-fn-exec-ms" not in bad.headers


@contract(
    "Routes, headers and life cycle", "`GET /score` answers with the path; with `input_data` in the query it scores"
)
def test_score_can_be_got(server: LiveServer) -> None:
    reply = http.get(server.url + "/score?a=1&b=%20")
    assert (reply.status_code, reply.text) == (200, "/score?a=1&b=%20")
    assert "sandbox" in reply.headers["content-security-policy"], "no browser runs what a link says"
    assert reply.headers["x-content-type-options"] == "nosniff"
    small = base64.b64encode(encoded(painted(1, 20, 20), "JPEG")).decode()
    query = {"input_data": json.dumps({"columns": ["image"], "data": [small]})}
    reply = http.get(server.url + "/score", params=query, timeout=30)
    assert reply.status_code == 200
    assert len(reply.json()) == 1


@contract(
    "Routes, headers and life cycle", "`OPTIONS /score`, and CORS for the origins of AML_CORS_ORIGINS and no others"
)
def test_browsers_of_known_origins_may_ask(server: LiveServer) -> None:
    assert http.request("OPTIONS", server.url + "/score").status_code == 200
    asks = {"origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    allowed = http.request("OPTIONS", server.url + "/score", headers=asks)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert score(server, origin=ORIGIN).headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in score(server, origin="https://evil.example").headers
    assert "access-control-allow-origin" not in score(server).headers
    for refused in ({"origin": "https://evil.example"}, {"access-control-request-method": "PUT"}):
        reply = http.request("OPTIONS", server.url + "/score", headers=asks | refused)
        assert (reply.status_code, "access-control-allow-methods" in reply.headers) == (200, False)


@contract(
    "Routes, headers and life cycle",
    "`/swagger.json?version=` 2, 3 or 3.1 describes the service by its name; 404 for others",
)
@pytest.mark.parametrize(
    ("version", "key", "value"), [("", "swagger", "2.0"), ("3", "openapi", "3.0"), ("3.1", "openapi", "3.1")]
)
def test_the_service_describes_itself(server: LiveServer, version: str, key: str, value: str) -> None:
    reply = http.get(server.url + "/swagger.json", params={"version": version} if version else {})
    described: Any = reply.json()
    assert reply.status_code == 200
    assert described[key].startswith(value)
    assert described["info"]["title"] == "fridge"
    assert set(described["paths"]) == {"/", "/score", "/swagger.json"}
    assert "/api" in (described.get("basePath"), *(one["url"] for one in described.get("servers", [])))
    schemas = described.get("definitions") or described["components"]["schemas"]
    assert set(schemas["ServiceInput"]["properties"]["input_data"]["properties"]) == {"columns", "index", "data"}
    assert set(schemas["ServiceOutput"]["items"]["properties"]) == {"probs", "labels"}
    wrong = http.get(server.url + "/swagger.json?version=9")
    assert wrong.status_code == 404
    assert wrong.json()["message"] == "Swagger version [9] is not valid. Supported versions: [2, 3, 3.1]."


@contract(
    "Routes, headers and life cycle",
    "Probes on a port of their own",
    "better",
    "it is answered whatever the model does",
)
def test_probes_have_a_second_port(server: LiveServer, health_port: int) -> None:
    reply = http.get(f"http://127.0.0.1:{health_port}/")
    assert (reply.status_code, reply.text) == (200, "Healthy")


def test_every_line_of_the_contract_belongs_to_a_part_and_stands_once() -> None:
    found = list(lines())
    assert {line.part for line in found} == set(parts())
    assert len({line.behaviour for line in found}) == len(found) > 80
    assert {line.verdict for line in found} == {"same", "better"}
    assert all(bool(line.why) == (line.verdict == "better") for line in found)
