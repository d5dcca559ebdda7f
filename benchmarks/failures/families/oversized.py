"""Requests beyond measure: uploads that stall, headers without end, and JSON that is hard to parse."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.failures.attacked_server import AttackedServer
from benchmarks.failures.numbered_load import JSON, NumberedLoad, NumberedRequest, images, numbers, probe, send
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted

_HEAD = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_MEBI = 2**20


def _stalled_uploads(trial: Trial) -> Finding:
    """Twelve uploads of 40 MB that stop before their end, beside small requests."""
    with trial.serve_script() as server, _uploads(server.port, 12, 40 * _MEBI):
        with NumberedLoad(server.port, numbers(), 2, pause_s=0.05) as load, _peak(server) as peak:
            time.sleep(4)
        outcomes = load.outcomes()
        met = load.lost() == 0 and set(outcomes) <= {200} and load.slowest_s() < 2 and peak[0] < 700
        seen = f"HTTP process up to {peak[0]} MB; others {counted(outcomes)}, slowest {load.slowest_s():.1f} s"
        return Finding(met, seen, load.lost(), sum(outcomes.values()))


@contextmanager
def _uploads(port: int, count: int, size: int) -> Iterator[None]:
    head = _HEAD + b"Content-Length: %d\r\n\r\n" % (size + 1)
    clients = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]

    def upload(client: socket.socket) -> None:
        with suppress(OSError):  # it may be refused
            client.sendall(head + b" " * size)

    threads = [threading.Thread(target=upload, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for client in clients:
            client.close()


def _wide_header(trial: Trial) -> Finding:
    """A header of 20 MB, 20,000 short ones, and trailers of 5 MB, beside probes."""
    with trial.serve_script() as server:
        attacks = {
            "one of 20 MB": b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20 * _MEBI + b"\r\n\r\n",
            "20,000 fields": b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
            "trailers": _HEAD
            + b'Transfer-Encoding: chunked\r\n\r\nd\r\n{"number": 1}\r\n0\r\n'
            + b"a: b\r\n" * 800_000
            + b"\r\n",
        }
        with NumberedLoad(server.port, probe(), 1, pause_s=0.02) as load:
            replies = {name: _status(server.port, attack) for name, attack in attacks.items()}
        met = all(status in (431, 400, 413, 0) for status in replies.values())
        met = met and load.lost() == 0 and load.slowest_s() < 1
        said = ", ".join(f"{name} {status or 'closed'}" for name, status in replies.items())
        return Finding(met, f"{said}; slowest probe {load.slowest_s():.2f} s", load.lost(), len(load.exchanges))


def _status(port: int, request: bytes) -> int:
    """Return the status of the reply to raw bytes, 0 where the connection was closed without one."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        with suppress(OSError):  # the reply may come before the end
            client.sendall(request)
        try:
            return int(client.recv(2**16).split()[1])
        except (OSError, IndexError, ValueError):
            return 0


def _hard_json(trial: Trial) -> Finding:
    """60 MB of small lists, beside liveness probes."""
    with trial.serve_model() as server:
        body = b'{"input_data":{"columns":["image"],"data":[' + b"[]," * (20 * _MEBI) + b"[]]}}"
        with NumberedLoad(server.port, probe(), 1, pause_s=0.02, patience_s=60) as load, _peak(server) as peak:
            status = send(server.port, NumberedRequest(body, headers=JSON), 90)
        met = isinstance(status, int) and 400 <= status < 500 and load.slowest_s() < 1 and peak[0] < 1000
        seen = f"answered {status}; slowest probe {load.slowest_s():.2f} s; HTTP process up to {peak[0]} MB"
        return Finding(met and load.lost() == 0, seen, load.lost(), len(load.exchanges))


def _wide_fields(trial: Trial) -> Finding:
    """6 MB of inference parameters, five times, beside scoring."""
    with trial.serve_model() as server:
        parameters = {
            "input_data": {"columns": ["image"], "data": [""]},
            "inference_parameters": {"x": "é" * 3 * _MEBI},
        }
        body = json.dumps(parameters, ensure_ascii=False).encode()
        with NumberedLoad(server.port, images(server), 3) as load:
            statuses = [send(server.port, NumberedRequest(body, headers=JSON)) for _ in range(5)]
        outcomes = load.outcomes()
        met = set(statuses) <= {413, 422} and set(outcomes) <= {200, 429} and load.lost() == 0
        return Finding(met, f"answered {statuses}; others {counted(outcomes)}", load.lost(), sum(outcomes.values()))


@contextmanager
def _peak(server: AttackedServer) -> Iterator[list[int]]:
    """Watch the memory of the HTTP processes; the list holds the highest sum so far, in MB."""
    peak, ends = [0], threading.Event()

    def watch() -> None:
        while not ends.wait(0.05):
            peak[0] = max(peak[0], sum(process.memory_info().rss for process in server.role("http")) >> 20)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ends.set()
        thread.join()


FAMILY = FailureFamily(
    "Requests beyond measure",
    (
        Scenario(
            "60 MB of small JSON lists",
            "refused, liveness answered within a second, and the process stays below 1000 MB",
            _hard_json,
            20,
        ),
        Scenario(
            "6 MB of inference parameters",
            "refused (413 or 422), and nobody else notices",
            _wide_fields,
        ),
        Scenario(
            "12 stalled uploads of 40 MB",
            "small requests are answered within 2 s, and the process stays below 700 MB",
            _stalled_uploads,
        ),
        Scenario(
            "headers and trailers without end",
            "refused (431), and probes are answered within a second",
            _wide_header,
        ),
    ),
)
