"""Clients that ask again and again while something happens to a server."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import httpx

from tests.support import http


class Clients:
    """Some clients at once, as a context manager; `outcomes` counts what they got: statuses, or how they were lost.

    `send` sends one request by the given client. Each goes on until the end of the context or of the port.
    """

    def __init__(self, count: int, send: Callable[[Any], httpx.Response]) -> None:
        self.outcomes: Counter[str] = Counter()
        self._send = send
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def join(self) -> None:
        """Wait until all of them have ended."""
        for thread in self._threads:
            thread.join(60)

    def _run(self) -> None:
        with http.Client(timeout=60) as client:
            while not self._over.is_set():
                try:
                    self.outcomes[str(self._send(client).status_code)] += 1
                except httpx.ConnectError:
                    self.outcomes["port closed"] += 1
                    return
                except httpx.TransportError as error:
                    self.outcomes[f"lost: {error!r}"] += 1
                    return
