"""RequestQueue: the requests that no process of a script has time for yet. Pure: the time is always given."""

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from server.ipc.frame import Frame

_WEIGHT = 0.2  # of the latest run among those that the pace is learned from


def left_s(usual_s: float, so_far_s: float) -> float:
    """Predict how much longer something takes; what has taken longer than usual, as long again as it has."""
    return usual_s - so_far_s if so_far_s < usual_s else so_far_s


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request to a script, of no use after `deadline`. All times are monotonic seconds, `started` 0 until it is."""

    request: Frame
    arrived: float
    deadline: float
    answer: Callable[[Frame], None]
    started: float = 0.0


class RequestQueue:
    """First come, first served. `running` holds the jobs that are worked on."""

    def __init__(self, workers: int) -> None:
        self.running: set[QueuedRequest] = set()
        self._workers = workers
        self._jobs: deque[QueuedRequest] = deque()
        self._pace_s: float | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    def wait_s(self, now: float, restart_s: float = 0.0) -> float:
        """Predict how long one that arrives now would wait while nobody is idle.

        Where nothing runs, a process is being started, which takes `restart_s` more.
        """
        pace_s = self._pace_s or 0.0
        first_s = min((left_s(pace_s, now - job.started) for job in self.running), default=restart_s)
        return first_s + len(self._jobs) * pace_s / self._workers

    def push(self, job: QueuedRequest) -> None:
        """Have a job wait for its turn."""
        self._jobs.append(job)

    def pop(self, now: float) -> QueuedRequest | None:
        """Return the next job that can still be answered in time; the others before it are forgotten."""
        while self._jobs:
            job = self._jobs.popleft()
            if job.deadline > now:
                return job
        return None

    def remove(self, job: QueuedRequest) -> None:
        """Forget a job that nobody waits for, if its turn has not come yet."""
        with contextlib.suppress(ValueError):
            self._jobs.remove(job)

    def clear(self) -> list[QueuedRequest]:
        """Forget all jobs, and return them."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def learn(self, seconds: float) -> None:
        """Note how long a run took."""
        self._pace_s = seconds if self._pace_s is None else self._pace_s + _WEIGHT * (seconds - self._pace_s)
