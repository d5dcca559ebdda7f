"""Connections over real sockets: strict HTTP, bounds on headers, and on the number and age of connections."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest

from tests.support import http
from tests.support.folders.user_scripts import write_scripts
from tests.support.raw_connection import RawConnection
from tests.support.servers.live_server import LiveServer

IDLE_S = 3.0
MOST = 24
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /score HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"data": [[1, 2, 3]]}'
WHOLE = POST + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
SCORED = [321.0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = write_scripts(tmp_path_factory.mktemp("connections"))
    bounds = ("--idle-timeout-ms", f"{1000 * IDLE_S:.0f}", "--max-connections", str(MOST))
    script = ("--entry-script", folder / "score.py", "--model-dir", folder / "model")
    with LiveServer(*script, *bounds, "--http-processes", "1") as running:
        yield running


# what a parser that is less strict reads as another request, or as the same one with another body
AMBIGUOUS = {
    "a length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n[1,2]",
    "two other lengths": b"Content-Length: 5\r\nContent-Length: 3\r\n\r\n[1,2]",
    "a list of lengths": b"Content-Length: 5, 5\r\n\r\n[1,2]",
    "a signed length": b"Content-Length: +5\r\n\r\n[1,2]",
    "a negative length": b"Content-Length: -5\r\n\r\n[1,2]",
    "a length in hexadecimals": b"Content-Length: 0x5\r\n\r\n[1,2]",
    "an empty length": b"Content-Length:\r\n\r\n[1,2]",
    "a huge length": b"Content-Length: 99999999999999999999\r\n\r\n[1,2]",
    "a blank after a name": b"Content-Length : 5\r\n\r\n[1,2]",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks within something": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a folded line": b"X: 1\r\n Content-Length: 5\r\n\r\n[1,2]",
    "a bare line feed": b"X: 1\nContent-Length: 5\r\n\r\n[1,2]",
    "a bare carriage return": b"X: 1\rContent-Length: 5\r\n\r\n[1,2]",
    "a zero byte": b"X: 1\0\r\nContent-Length: 5\r\n\r\n[1,2]",
    "a line without a name": b": 1\r\nContent-Length: 5\r\n\r\n[1,2]",
    "a line without a colon": b"X\r\nContent-Length: 5\r\n\r\n[1,2]",
    "two hosts": b"Host: b\r\nContent-Length: 5\r\n\r\n[1,2]",
    "no number of a chunk": b"Transfer-Encoding: chunked\r\n\r\nx\r\n[1,2]\r\n0\r\n\r\n",
    "a chunk in hexadecimals": b"Transfer-Encoding: chunked\r\n\r\n0x5\r\n[1,2]\r\n0\r\n\r\n",
    "a chunk that is too short": b"Transfer-Encoding: chunked\r\n\r\n4\r\n[1,2]\r\n0\r\n\r\n",
    "a huge chunk": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n[1,2]\r\n0\r\n\r\n",
    "a chunk with a blank": b"Transfer-Encoding: chunked\r\n\r\n5 \r\n[1,2]\r\n0\r\n\r\n",
    "a chunk with a bare line feed": b"Transfer-Encoding: chunked\r\n\r\n5\n[1,2]\r\n0\r\n\r\n",
    "an extension with a bare line feed": b"Transfer-Encoding: chunked\r\n\r\n5;a\nx\r\n[1,2]\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways_ends_the_connection(server: LiveServer, case: str) -> None:
    with RawConnection(server.url) as connection:
        reply = connection.send(POST + AMBIGUOUS[case] + LIVE + b"\r\n").reply()
        assert (reply.status, reply.json()["code"], reply.headers["connection"]) == (400, "malformed_request", "close")
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-request-id"] == reply.json()["request_id"]
        assert connection.ends(), "what follows is no request"


FIRST_LINES = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "another version": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: a\n\n",
    "letters of no URL": b"GET /\xe9\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no path": b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: a/b?c\r\n\r\n",
}


@pytest.mark.parametrize("case", FIRST_LINES)
def test_what_is_no_request_gets_an_error_as_json(server: LiveServer, case: str) -> None:
    with RawConnection(server.url) as connection:
        reply = connection.send(FIRST_LINES[case]).reply()
        assert (reply.status, reply.json()["code"]) == (400, "malformed_request")
        assert connection.ends()


@pytest.mark.parametrize(
    "content",
    [
        b"\r\n\r\n" + WHOLE,
        POST + b"x-obs-text: \xe9\r\nContent-Length:\t%d\r\n\r\n%s" % (len(BODY), BODY),
        CHUNKED.replace(b"chunked", b"Chunked") + b'5;a=b\r\n{"dat\r\n10;c\r\na": [[1, 2, 3]]}\r\n0\r\nT: 1\r\n\r\n',
        WHOLE.replace(b"/score", b"http://a/score").replace(b"Host: a", b"Host: [::1]:80"),
    ],
    ids=["empty lines before", "odd letters and blanks", "extensions and trailers", "an absolute URL"],
)
def test_what_is_odd_and_valid_is_answered(server: LiveServer, content: bytes) -> None:
    with RawConnection(server.url) as connection:
        for _ in range(2):
            assert connection.send(content).reply().json() == SCORED
    with RawConnection(server.url) as connection:
        assert connection.send(b"GET /health/live HTTP/1.0\r\n\r\n").reply().status == 200, "without Host"
        assert connection.ends()


def test_a_fault_waits_for_the_responses_before_it(server: LiveServer) -> None:
    slow = json.dumps({"do": "sleep", "seconds": 0.3}).encode()
    with RawConnection(server.url) as connection:
        connection.send(POST + b"Content-Length: %d\r\n\r\n%s" % (len(slow), slow) + WHOLE + b"nonsense\r\n\r\n")
        assert set(connection.reply().json()) == {"pid", "from", "to"}
        assert connection.reply().json() == SCORED
        assert connection.reply().json()["code"] == "malformed_request"
        assert connection.ends()
    with RawConnection(server.url) as connection:
        content = WHOLE.replace(b"Host: a", b"Host: a\r\nConnection: close")
        assert connection.send(content + b"nonsense\r\n\r\n").reply().json() == SCORED
        assert connection.ends()


UPGRADES = [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n",
    b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n",
]


@pytest.mark.parametrize("upgrade", UPGRADES, ids=["h2c", "TLS", "websocket"])
def test_an_upgrade_is_answered_as_if_it_were_not_there(server: LiveServer, upgrade: bytes) -> None:
    whole, chunked = (text.replace(b"Host: a\r\n", b"Host: a\r\n" + upgrade) for text in (WHOLE, CHUNKED))
    with RawConnection(server.url) as connection:
        for content in (whole, chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), WHOLE):
            assert connection.send(content).reply().json() == SCORED
        for piece in (whole[:90], whole[90:-9], whole[-9:]):
            connection.send(piece)
            time.sleep(0.05)
        assert connection.reply().json() == SCORED
        connection.send(whole * 3 + LIVE + upgrade + b"\r\n" + LIVE + b"\r\n")
        assert [connection.reply().json() for _ in range(3)] == [SCORED] * 3
        assert [connection.reply().json() for _ in range(2)] == [{"status": "live"}] * 2


BOUNDED = {
    "a header of 65 kB": LIVE + b"X: " + b"a" * 66_000 + b"\r\n\r\n",
    "a header of 3 MB": LIVE + b"X: " + b"a" * 3_000_000 + b"\r\n\r\n",
    "a header that does not end": LIVE + b"X: " + b"a" * 600_000,
    "a path of 65 kB": b"GET /" + b"a" * 66_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path of 3 MB": b"GET /" + b"a" * 3_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "201 headers": LIVE + b"X: 1\r\n" * 200 + b"\r\n",
    "empty lines": b"\r\n" * 500_000,
    "a trailer of 3 MB": CHUNKED + b"2\r\n{}\r\n0\r\nT: " + b"a" * 3_000_000 + b"\r\n\r\n",
    "201 trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"T: 1\r\n" * 201 + b"\r\n",
    "an extension of 3 MB": CHUNKED + b"2;" + b"a" * 3_000_000 + b"\r\n{}\r\n0\r\n\r\n",
    "extensions of 3 MB": CHUNKED + b"1;%s\r\n \r\n" % (b"a" * 1000) * 3000 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("case", BOUNDED)
def test_headers_are_bounded(server: LiveServer, case: str) -> None:
    with RawConnection(server.url) as connection:
        reply = connection.send(BOUNDED[case]).reply()
        assert (reply.status, reply.json()["code"]) == (431, "headers_too_large")
        assert connection.ends()


def test_what_is_within_the_bounds_is_answered(server: LiveServer) -> None:
    with RawConnection(server.url) as connection:
        for head in (b"X: " + b"a" * 60_000 + b"\r\n", b"X: 1\r\n" * 199):
            assert connection.send(LIVE + head + b"\r\n").reply().status == 200
        connection.send(
            CHUNKED + b"15\r\n%s\r\n" % BODY + b"1\r\n \r\n" * 30_000 + b"0\r\n" + b"T: 1\r\n" * 200 + b"\r\n"
        )
        assert connection.reply().json() == SCORED
        connection.send((LIVE + b"\r\n") * 50)
        assert [connection.reply().status for _ in range(50)] == [200] * 50


def test_a_long_header_neither_holds_the_process_nor_stays_in_memory(server: LiveServer) -> None:
    (process,) = server.children("server.api")
    before = process.memory_info().rss
    with RawConnection(server.url) as connection, suppress(ConnectionError):
        connection.send(LIVE + b"X: ")
        for _ in range(64):
            connection.send(b"a" * 2**20)
    started = time.monotonic()
    assert server.probe("/health/live") == 200
    assert time.monotonic() - started < 2
    assert process.memory_info().rss - before < 16 * 2**20


def test_connections_that_wait_for_too_long_are_closed(server: LiveServer) -> None:
    with ExitStack() as stack:
        silent, half, rest, unread, busy = (stack.enter_context(RawConnection(server.url)) for _ in range(5))
        half.send(LIVE)
        rest.send(LIVE + b"Content-Length: 9\r\n\r\nabc")
        unread.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n" * 30)
        started = time.monotonic()
        while time.monotonic() - started < IDLE_S + 1:
            assert busy.send(WHOLE).reply().json() == SCORED
            time.sleep(0.3)
        assert silent.ends()
        reply = half.reply()
        assert (reply.status, reply.json()["code"]) == (408, "headers_timeout")
        assert half.ends()
        assert rest.reply().status == 200
        assert rest.ends()
        assert busy.send(WHOLE).reply().json() == SCORED, "it was in use"
        (process,) = server.children("server.api")
        port = unread.socket.getsockname()[1]
        server.wait_for(lambda: port not in _clients(process), 10 * IDLE_S)


def _clients(process: psutil.Process) -> set[int]:
    return {each.raddr.port for each in process.net_connections("tcp") if each.raddr}


def test_idle_connections_do_not_shut_others_out(server: LiveServer) -> None:
    with ExitStack() as stack:
        friend = stack.enter_context(RawConnection(server.url))
        assert friend.send(WHOLE).reply().json() == SCORED
        for number in range(3 * MOST):
            idle = stack.enter_context(RawConnection(server.url))
            idle.send(LIVE if number % 2 else b"")
        time.sleep(0.3)  # until they do not look like clients that came at once any more
        assert server.probe("/health/live") == server.probe("/health/ready") == 200
        assert http.post(server.url + "/score", content=BODY).json() == SCORED
        assert friend.send(WHOLE).reply().json() == SCORED, "it asked before, and those that never did go first"
    server.wait_for(lambda: server.log().count("too many connections") == 1)


def test_probes_are_answered_while_all_connections_are_in_use(server: LiveServer) -> None:
    upload = POST + b"Content-Length: 100\r\n\r\n{"
    with ExitStack() as stack:
        uploads = [stack.enter_context(RawConnection(server.url)).send(upload) for _ in range(MOST)]
        time.sleep(0.5)
        assert server.probe("/health/live") == 200
        refused = http.post(server.url + "/score", content=BODY)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_connections")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["connection"] == "close"
        rest = BODY[1:].ljust(99)
        assert uploads[0].send(rest).reply().json() == SCORED
        for each in uploads[1:]:
            each.socket.shutdown(socket.SHUT_RDWR)
    server.wait_for(lambda: http.post(server.url + "/score", content=BODY).status_code == 200)


REFUSED = b"POST /nothing HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize("last", [b"HTTP/1.0", b"HTTP/1.1\r\nHost: a\r\nConnection: close"], ids=["1.0", "close"])
def test_a_client_that_still_sends_gets_the_refusal_and_then_the_end(server: LiveServer, last: bytes) -> None:
    head = b"POST /nothing %s\r\nContent-Length: 3000000\r\n\r\n" % last
    with RawConnection(server.url) as connection:
        connection.send(head)
        assert connection.reply().status == 404
        assert connection.ends(), "the server sends no more"
        for _ in range(10):  # a closed socket would answer the first of these with a reset
            time.sleep(0.05)
            connection.send(bytes(300_000))
        server.wait_for(lambda: _is_closed(server, connection))


def test_a_connection_that_stays_is_usable_after_the_refused_body(server: LiveServer) -> None:
    with RawConnection(server.url) as connection:
        connection.send(REFUSED + b"Content-Length: 3000000\r\n\r\n")
        assert connection.reply().status == 404
        connection.send(bytes(3_000_000) + WHOLE)
        assert connection.reply().json() == SCORED


def test_reading_on_after_a_refusal_is_bounded(server: LiveServer) -> None:
    closing = REFUSED + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with RawConnection(server.url) as silent, RawConnection(server.url) as endless:
        assert silent.send(closing).reply().status == 404
        assert endless.send(closing).reply().status == 404
        started = time.monotonic()
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                endless.send(b"100000\r\n" + bytes(2**20) + b"\r\n")
        server.wait_for(lambda: _is_closed(server, silent))
        assert time.monotonic() - started > 1, "a client may pause for a moment"


def _is_closed(server: LiveServer, connection: RawConnection) -> bool:
    (process,) = server.children("server.api")
    return connection.socket.getsockname()[1] not in _clients(process)
