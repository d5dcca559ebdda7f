"""Every refused, unknown or failed request has one line at level info, which says who sent what, and why it failed."""

import json
import logging
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.proxies.refusals import REFUSED, SCORING_KEY, key_flags
from server.api.app import create_routers
from server.api.connections.trusted_proxies import TrustedProxies
from server.api.request_log import PROBES, RequestLog
from server.api.routes import page
from server.errors import ERRORS
from tests.support import http
from tests.support.folders.user_scripts import write_scripts
from tests.support.raw_connection import RawConnection
from tests.support.servers.live_server import LiveServer

AGENT = 'a client/1.0 (status=200) "quoted" é'
KEY = {"authorization": f"Bearer {SCORING_KEY}"}
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module", params=["text", "json"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = write_scripts(tmp_path_factory.mktemp("log"))
    script = ("--entry-script", folder / "score.py", "--model-dir", folder / "model", "--log-format", request.param)
    with LiveServer(*script, *key_flags(folder)) as running:
        yield running


def lines(server: LiveServer, word: str) -> list[dict[str, Any]]:
    """Return the facts of the lines at level info about requests that hold a word, as texts."""
    found = [line for line in server.log().splitlines() if word in line and "server.request" in line]
    assert max(map(len, found), default=0) < 4096
    if found and found[0].startswith("{"):
        parsed = [json.loads(line) for line in found]
        return [{name: str(value) for name, value in one.items()} for one in parsed if one["level"] == "info"]
    facts = [line.partition(" - request ")[2] for line in found if re.match(r"\S+ I ", line)]
    return [dict(word.split("=", 1) for word in shlex.split(one)) for one in facts]


def the_line(server: LiveServer, word: str) -> dict[str, Any]:
    server.wait_for(lambda: lines(server, word))
    (line,) = lines(server, word)
    return line


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=[request.name for request in REFUSED])
def test_a_refused_request_has_a_line(server: LiveServer, number: int) -> None:
    request, request_id = REFUSED[number], f"refused-{number}"
    sent = {"x-request-id": request_id} | dict(request.headers)
    headers = {name.encode(): value.encode() for name, value in sent.items()} | {b"user-agent": AGENT.encode("latin-1")}
    body = bytes(request.least_bytes or 5)
    reply = http.request(request.method, server.url + request.path, content=body, headers=headers)
    assert reply.status_code >= 400
    line = the_line(server, reply.headers["x-request-id"])
    assert line["status"] == str(reply.status_code)
    assert (line["method"], line["client"], line["agent"]) == (request.method, "127.0.0.1", AGENT)
    assert line["bytes"] == str(len(body))
    assert ERRORS[line["code"]][0] == reply.status_code
    assert line["error"][:90] in reply.json().get("error", reply.json().get("message"))
    if line["route"] == "none":  # also where something is wrong with the request before its path matters
        assert line["path"] == request.path
    else:
        assert re.fullmatch(re.sub(r"{\w+}", r"\\w+", line["route"]), request.path)


def test_a_failure_in_a_script_and_a_request_that_was_scored_have_lines(server: LiveServer) -> None:
    for request_id, body, status in (("fine", {"data": [[1, 2, 3]]}, 200), ("failing", {"no": "data"}, 500)):
        headers = KEY | {"x-request-id": request_id, "x-forwarded-for": "203.0.113.9"}
        assert http.post(server.url + "/score", json=body, headers=headers).status_code == status
        line = the_line(server, request_id)
        assert (line["status"], line["deployment"], line["client"]) == (str(status), "score", "203.0.113.9")
        assert line["bytes"] == str(len(http.Client().build_request("POST", server.url, json=body).content))
        assert ("code" in line) == (status == 500)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "malformed_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "malformed_request"),
        (
            b"GET /health/live HTTP/1.1\r\nHost: a\r\nX: " + b"\x1b[2J" + b"a" * 70_000 + b"\r\n\r\n",
            "malformed_request",
        ),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "headers_too_large"),
    ],
    ids=["no host", "TLS", "control characters", "large"],
)
def test_what_is_no_request_has_a_line(server: LiveServer, content: bytes, code: str) -> None:
    with RawConnection(server.url) as connection:
        reply = connection.send(content).reply()
    line = the_line(server, reply.headers["x-request-id"])
    assert (line["status"], line["method"], line["code"]) == (str(reply.status), "-", code)
    assert (line["client"], line["bytes"]) == ("127.0.0.1", "0")


def test_chunks_count_and_a_client_that_left_has_a_line(server: LiveServer) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" % SCORING_KEY.encode()
    chunked = head + b'X-Request-ID: %s\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"no":1\r\n'
    with RawConnection(server.url) as connection:
        connection.send(chunked % b"in-chunks" + b"1\r\n}\r\n0\r\n\r\n").reply()
    assert the_line(server, "in-chunks")["bytes"] == "8"
    with RawConnection(server.url) as connection:
        connection.send(chunked % b"left-early")
    assert the_line(server, "left-early")["status"] == "499"


def test_a_flood_makes_no_line_long_and_no_text_leaves_its_place(server: LiveServer) -> None:
    hostile = "\x1b[2J\x9b" * 1000
    target = b"/" + b"%1b%0a%e2%80%a8" * 1000
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\nX-Forwarded-For: %s\r\nX-Request-ID: flood\r\n"
    agent = (hostile.replace("\x1b", "x") + '" status=200').encode("latin-1")
    with RawConnection(server.url) as connection:
        reply = connection.send(head % (target, agent, agent) + b"Content-Length: %d\r\n\r\n" % 10**17).reply()
    assert reply.status == 404
    line = the_line(server, "flood")
    assert (line["status"], line["client"], line["bytes"]) == ("404", "127.0.0.1", str(10**17))
    assert len(line["agent"]) <= 500 and len(line["path"]) <= 1300
    assert all(character.isprintable() for character in server.log().replace("\n", ""))


def test_a_page_of_an_origin_that_is_not_allowed_has_a_line(server: LiveServer) -> None:
    origin = "https://page.example/" + "a" * 500
    headers = {"x-request-id": "a-page", "origin": origin, "access-control-request-method": "POST"}
    for path in ("/score", "/invocations"):
        headers["x-request-id"] = f"a-page-at{path.replace('/', '-')}"
        assert http.request("OPTIONS", server.url + path, headers=headers).status_code == 200
        line = the_line(server, headers["x-request-id"])
        assert (line["route"], line["refused_origin"][:20]) == (path, origin[:20])
        assert len(line["refused_origin"]) == 100


def test_probes_are_told_at_level_debug(server: LiveServer) -> None:
    for path in ("/", "/health/live", "/health/ready", "/v2/health/ready", "/metrics", "/docs"):
        reply = http.get(server.url + path, headers={"x-request-id": "a-probe"})
        assert reply.status_code == 200
    http.post(server.url + "/nothing", headers={"x-request-id": "after-probes"})
    the_line(server, "after-probes")
    assert lines(server, "a-probe") == []


@pytest.mark.parametrize(("route", "level"), [("/health/ready", "DEBUG"), ("/", "DEBUG"), ("/score", "INFO")])
def test_that_a_server_is_not_ready_is_no_news(route: str, level: str, caplog: pytest.LogCaptureFixture) -> None:
    scope = {"state": {"facts": {}, "request_id": "1"}, "client": ("10.0.0.1", 1), "headers": [], "path": route}
    with caplog.at_level(logging.DEBUG, "server.request"):
        RequestLog(TrustedProxies(())).write(scope, method="GET", route=route, status=503, seconds=0.1, received=0)
    assert [record.levelname for record in caplog.records] == [level]
    routes = {route.path for router in create_routers() for route in router.routes}  # type: ignore[attr-defined]
    assert routes | {page.STATE} >= PROBES
