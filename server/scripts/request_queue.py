"""RequestQueue: the requests that no process of a script has time for yet. Pure: the time is always given."""

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from server.ipc.frame import Frame

_WEIGHT = 0.2  # of the latest run in the learned time of a run


def left_s(usual_s: float, so_far_s: float) -> float:
    """Predict how much longer something takes; what has taken longer than usual takes as long again as it has."""
    return usual_s - so_far_s if so_far_s < usual_s else so_far_s


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request to a script, of no use after `deadline`. Times are monotonic seconds; `started` is 0 until it runs."""

    request: Frame
    arrived: float
    deadline: float
    answer: Callable[[Frame], None]
    started: float = 0.0


class RequestQueue:
    """First come, first served. `running` holds the requests that workers are working on."""

    def __init__(self, workers: int) -> None:
        self.running: set[QueuedRequest] = set()
        self._workers = workers
        self._queue: deque[QueuedRequest] = deque()
        self._run_s: float | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def wait_s(self, now: float, restart_s: float = 0.0) -> float:
        """Predict how long a request that arrives now would wait while no worker is idle.

        Where nothing runs, a worker is being started, which takes `restart_s` more.
        """
        run_s = self._run_s or 0.0
        first_s = min((left_s(run_s, now - request.started) for request in self.running), default=restart_s)
        return first_s + len(self._queue) * run_s / self._workers

    def push(self, request: QueuedRequest) -> None:
        """Have a request wait for its turn."""
        self._queue.append(request)

    def pop(self, now: float) -> QueuedRequest | None:
        """Return the next request that can still be answered in time; those before it are forgotten."""
        while self._queue:
            request = self._queue.popleft()
            if request.deadline > now:
                return request
        return None

    def remove(self, request: QueuedRequest) -> None:
        """Forget a request that nobody waits for, if its turn has not come yet."""
        with contextlib.suppress(ValueError):
            self._queue.remove(request)

    def clear(self) -> list[QueuedRequest]:
        """Forget all requests, and return them."""
        requests = list(self._queue)
        self._queue.clear()
        return requests

    def learn(self, seconds: float) -> None:
        """Note how long a run took."""
        self._run_s = seconds if self._run_s is None else self._run_s + _WEIGHT * (seconds - self._run_s)
