"""RequestQueue: the requests that wait for a worker of a script. A pure state machine; time is passed in."""

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from server.ipc.frame import Frame

_WEIGHT = 0.2  # of the latest run in the average time of a run


def left_s(usual_s: float, so_far_s: float) -> float:
    """Predict the remaining seconds: the rest of the usual time, or after that as many as it has taken so far."""
    return usual_s - so_far_s if so_far_s < usual_s else so_far_s


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request to a script, which ends at `deadline`. Times are monotonic seconds; `started` is 0 until it runs."""

    request: Frame
    arrived: float
    deadline: float
    answer: Callable[[Frame], None]
    started: float = 0.0


class RequestQueue:
    """A queue in the order of arrival. `running` holds the requests that workers are running."""

    def __init__(self, workers: int) -> None:
        self.running: set[QueuedRequest] = set()
        self._workers = workers
        self._queue: deque[QueuedRequest] = deque()
        self._run_s: float | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def wait_s(self, now: float, restart_s: float = 0.0) -> float:
        """Predict the seconds that a request that arrives now would wait while no worker is idle.

        Where nothing runs, a worker is being started, which takes `restart_s` more.
        """
        run_s = self._run_s or 0.0
        first_s = min((left_s(run_s, now - request.started) for request in self.running), default=restart_s)
        return first_s + len(self._queue) * run_s / self._workers

    def push(self, request: QueuedRequest) -> None:
        """Add a request at the end."""
        self._queue.append(request)

    def pop(self, now: float) -> QueuedRequest | None:
        """Remove and return the first request whose deadline has not passed. Those before it are dropped."""
        while self._queue:
            request = self._queue.popleft()
            if request.deadline > now:
                return request
        return None

    def remove(self, request: QueuedRequest) -> None:
        """Remove a request, if it is still queued."""
        with contextlib.suppress(ValueError):
            self._queue.remove(request)

    def clear(self) -> list[QueuedRequest]:
        """Remove and return all requests."""
        requests = list(self._queue)
        self._queue.clear()
        return requests

    def learn(self, seconds: float) -> None:
        """Learn that a run took `seconds`."""
        self._run_s = seconds if self._run_s is None else self._run_s + _WEIGHT * (seconds - self._run_s)
