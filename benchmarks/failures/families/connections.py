"""Connections: clients that are slow, leave in the middle, or only take up room."""

import json
import socket
import struct
import time
from contextlib import suppress

import psutil

from benchmarks.failures.attacked_server import AttackedServer
from benchmarks.failures.numbered_load import NumberedLoad, image_request, images, numbers, probe, send
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted
from tests.support.images import encoded, painted

_SLOW = 60
_CLOSED_WITHIN_S = 75.0
_IDLE = 300
_HEAD = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def _slow_headers(trial: Trial) -> Finding:
    """Clients that send a letter of a header each second, beside others, where connections may wait for 20 seconds."""
    return _drip(trial, b"GET /score HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a", "--idle-timeout-ms", "20000")


def _slow_bodies(trial: Trial) -> Finding:
    """The same within a body, under a deadline of ten seconds."""
    return _drip(trial, _HEAD + b"Content-Length: 100000\r\n\r\n[", b" ", "--request-timeout-ms", "10000")


def _drip(trial: Trial, start: bytes, drop: bytes, *flags: str) -> Finding:
    with trial.serve_model(*flags) as server:
        clients = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(_SLOW)]
        for client in clients:
            client.sendall(start)
        within_s = min(_CLOSED_WITHIN_S, trial.seconds) if trial.ours else min(30.0, trial.seconds)
        started = time.monotonic()
        with NumberedLoad(server.port, images(server), 2, pause_s=0.2) as load:
            open_ones, closed_s = list(clients), None
            while open_ones and time.monotonic() - started < within_s:
                open_ones = [client for client in open_ones if not _is_closed(client, drop)]
                time.sleep(1)
            if not open_ones:
                closed_s = time.monotonic() - started
        for client in clients:
            client.close()
        outcomes = load.outcomes()
        met = closed_s is not None and load.lost() == 0 and set(outcomes) <= {200}
        slow = (
            f"all closed after {closed_s:.0f} s"
            if closed_s
            else f"{len(open_ones)} of {_SLOW} open after {within_s:.0f} s"
        )
        seen = f"{slow}; others meanwhile {counted(outcomes)}, slowest {load.slowest_s():.1f} s"
        return Finding(met, seen, load.lost(), sum(outcomes.values()))


def _is_closed(client: socket.socket, drop: bytes) -> bool:
    """Whether a server has closed a connection or answered; send it another drop otherwise."""
    try:
        client.settimeout(0.001)
        client.recv(2**16)
        return True  # a reply, or the end
    except TimeoutError:
        pass
    except OSError:
        return True
    try:
        client.settimeout(1)
        client.sendall(drop)
    except OSError:
        return True
    return False


def _idle(trial: Trial) -> Finding:
    """More idle connections than there are file descriptors: half send nothing, half a piece of a header."""
    with trial.serve_model(prefix=("prlimit", "--nofile=256:256")) as server:
        if not trial.ours:
            for process in server.family():
                process.rlimit(psutil.RLIMIT_NOFILE, (256, 256))
        request = image_request(encoded(painted(1, 96, 72), "JPEG"))
        clients = []
        with suppress(OSError):  # it may take no more
            for number in range(_IDLE):
                clients.append(socket.create_connection(("127.0.0.1", server.port), 3))
                clients[-1].sendall(b"GET / HTTP/1.1\r\nX-a: " if number % 2 else b"")
        within_s = min(_CLOSED_WITHIN_S if trial.ours else 25.0, trial.seconds)
        started, first, probes = time.monotonic(), None, []
        while time.monotonic() - started < within_s and first is None:
            probes.append(send(server.port, probe()(0), 2) if trial.ours else 200)
            if send(server.port, request, 3) == 200:
                first = time.monotonic() - started
        for client in clients:
            client.close()
        time.sleep(1)
        after = send(server.port, request)
        scored = f"a score after {first:.0f} s" if first is not None else f"no score within {within_s:.0f} s"
        alive = f"{probes.count(200)} of {len(probes)} liveness probes answered; " if trial.ours else ""
        met = first is not None and after == 200 and probes.count(200) == len(probes)
        return Finding(met, f"{len(clients)} connections; {alive}{scored}; once they left {after}")


def _vanished(trial: Trial) -> Finding:
    """Clients that leave by RST in headers, in bodies and before replies, and half-closed ones that still listen."""
    with trial.serve_script("--workers", "2") as server:
        before = _descriptors(server)
        body = json.dumps({"number": 10**6, "seconds": 0.05}).encode()
        whole = _HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        with NumberedLoad(server.port, numbers(), 2) as load:
            for number in range(300):
                client = socket.create_connection(("127.0.0.1", server.port), 5)
                client.sendall(whole[: (10, len(_HEAD) + 10, len(whole) - 3, len(whole))[number % 4]])
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            half = [_half_closed(server.port, whole.replace(b"1000000", b"%d" % (2 * 10**6 + n))) for n in range(5)]
        time.sleep(2)
        grown = _descriptors(server) - before
        outcomes = load.outcomes()
        met = load.lost() == 0 and set(outcomes) <= {200, 429} and grown <= 8
        seen = f"others {counted(outcomes)}; {sum(half)} of 5 half-closed clients got replies; {grown:+d} descriptors"
        return Finding(met, seen, load.lost(), sum(outcomes.values()))


def _half_closed(port: int, request: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        try:
            return b" 200 " in client.recv(2**16)
        except OSError:
            return False


def _descriptors(server: AttackedServer) -> int:
    return sum(process.num_fds() for process in server.family())


FAMILY = FailureFamily(
    "Slow, vanished and idle clients",
    (
        Scenario(
            "60 clients that drip headers",
            "they are closed within 75 s, and others are answered meanwhile",
            _slow_headers,
            45,
            peers=True,
        ),
        Scenario(
            "60 clients that drip bodies",
            "they are answered or closed by the deadline of 10 s, and others meanwhile",
            _slow_bodies,
            20,
        ),
        Scenario(
            "300 idle connections on 256 descriptors",
            "liveness is answered all the time, and a score within 75 s",
            _idle,
            40,
            peers=True,
        ),
        Scenario(
            "clients that vanish or close one half",
            "nobody else notices, and no descriptor stays; half-closed clients may be taken for those that left",
            _vanished,
        ),
    ),
)
