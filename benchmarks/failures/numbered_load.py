"""NumberedLoad: clients that number their requests, so that what is lost, mixed up or done twice can be told."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Self

from benchmarks.failures.attacked_server import AttackedServer
from benchmarks.harness.payload import score_body
from tests.support.images import encoded, painted

REFUSED = "refused"  # the port was closed: the request was never let in
_LOST = ("reset", "timeout", "wrong")
_IMAGES = [encoded(painted(seed, 96, 72), "JPEG") for seed in range(6)]
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class NumberedRequest:
    """A request of a load. `right` tells whether the body of a reply with status 200 is the one to it."""

    body: bytes | None = None
    path: str = "/score"
    headers: Mapping[str, str] = field(default_factory=dict)
    right: Callable[[bytes], bool] = lambda body: True


@dataclass(frozen=True, slots=True)
class Exchange:
    """What became of a request. `outcome` is the status of its reply, or a word where none came that was right."""

    number: int
    started: float  # time.monotonic()
    seconds: float
    outcome: int | str


class NumberedLoad:
    """`clients` that send one request after the other from a thread each; a context manager that ends them.

    `request` returns the request of a number, from 0. Each request has a connection of its own: a connection that is
    kept may be closed at any time, and nobody could tell whether its last request was let in.
    """

    def __init__(
        self,
        port: int,
        request: Callable[[int], NumberedRequest],
        clients: int = 4,
        *,
        pause_s: float = 0.0,
        patience_s: float = 20.0,
    ) -> None:
        self.exchanges: list[Exchange] = []
        self._port, self._request = port, request
        self._pause_s, self._patience_s = pause_s, patience_s
        self._numbers, self._ends = count(), threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Send no more, and wait for the replies."""
        self._ends.set()
        for thread in self._threads:
            thread.join(self._patience_s + 5)

    def outcomes(self, since: float = 0.0) -> Counter[int | str]:
        """Count the outcomes of requests that started after a moment of time.monotonic()."""
        return Counter(exchange.outcome for exchange in list(self.exchanges) if exchange.started >= since)

    def lost(self) -> int:
        """Return how many requests got no reply, or a wrong one."""
        outcomes = self.outcomes()
        return sum(outcomes[word] for word in _LOST)

    def slowest_s(self) -> float:
        """Return the seconds of the slowest exchange."""
        return max((exchange.seconds for exchange in list(self.exchanges)), default=0.0)

    def answered_s(self, within_s: float) -> float | None:
        """Wait for a request that is sent from now on and answered 200; return after how many seconds."""
        started = time.monotonic()
        while time.monotonic() - started < within_s:
            if self.outcomes(started)[200]:
                return time.monotonic() - started
            time.sleep(0.05)
        return None

    def twice(self, recorded: list[int]) -> int:
        """Return how many numbers of `recorded` are there more than once, or were answered 200 and are not there."""
        times = Counter(recorded)
        answered = [exchange.number for exchange in self.exchanges if exchange.outcome == 200]
        return sum(number > 1 for number in times.values()) + sum(number not in times for number in answered)

    def _run(self) -> None:
        while not self._ends.is_set():
            number = next(self._numbers)
            started = time.monotonic()
            outcome = send(self._port, self._request(number), self._patience_s)
            self.exchanges.append(Exchange(number, started, time.monotonic() - started, outcome))
            if outcome == REFUSED or self._pause_s:
                self._ends.wait(max(self._pause_s, 0.02))


def send(port: int, request: NumberedRequest, patience_s: float = 20.0) -> int | str:
    """Send a request on a connection of its own; return the status of the reply, or what came instead."""
    connection = HTTPConnection("127.0.0.1", port, timeout=patience_s)
    try:
        connection.request("GET" if request.body is None else "POST", request.path, request.body, dict(request.headers))
        reply = connection.getresponse()
        body = reply.read()
        return "wrong" if reply.status == 200 and not request.right(body) else reply.status
    except ConnectionRefusedError:
        return REFUSED
    except TimeoutError:
        return "timeout"
    except (OSError, HTTPException):
        return "reset"
    finally:
        connection.close()


def probe(path: str = "/health/live") -> Callable[[int], NumberedRequest]:
    """Return what requests a GET route, again and again."""
    return lambda number: NumberedRequest(path=path)


def numbers(seconds: float = 0.0) -> Callable[[int], NumberedRequest]:
    """Return what asks the script of write_script() to return the number, after `seconds`."""

    def request(number: int) -> NumberedRequest:
        body = json.dumps({"number": number, "seconds": seconds}).encode()
        return NumberedRequest(body, headers=JSON, right=lambda body: body == b"%d" % number)

    return request


def images(server: AttackedServer) -> Callable[[int], NumberedRequest]:
    """Return what sends one of six images, and knows the reply to each from asking once before."""
    known = [_row(server.port, image) for image in _IMAGES]

    def request(number: int) -> NumberedRequest:
        place = number % len(_IMAGES)
        return image_request(_IMAGES[place], right=lambda body: _close(_probs(body), known[place]))

    return request


def image_request(image: bytes, right: Callable[[bytes], bool] = lambda body: True) -> NumberedRequest:
    """Return the request that scores one image."""
    return NumberedRequest(score_body(image), headers=JSON, right=right)


def many_images(image: bytes, count: int) -> bytes:
    """Return the body that scores an image `count` times."""
    one = json.loads(score_body(image))
    one["input_data"]["data"] *= count
    return json.dumps(one).encode()


def _row(port: int, image: bytes) -> list[float]:
    found: list[float] = []

    def keep(body: bytes) -> bool:
        found.extend(_probs(body))
        return True

    outcome = send(port, image_request(image, keep), 60)
    if outcome != 200:
        raise RuntimeError(f"an image got {outcome} before anything was done to the server")
    return found


def _probs(body: bytes) -> list[float]:
    try:
        return list(json.loads(body)[0]["probs"])
    except (ValueError, LookupError, TypeError):
        return []


def _close(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) and all(abs(p - q) < 1e-4 for p, q in zip(one, other, strict=True))
