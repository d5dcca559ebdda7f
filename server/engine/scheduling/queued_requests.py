"""QueuedRequests: the requests that have jobs left in the scheduler, and when they are due."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from server.engine.scheduling.job import AnyJob


@dataclass(slots=True)
class _QueuedJobs:
    """Its jobs, of which `left` are not done. The first is due at `due`, each other `spacing` seconds later."""

    jobs: Sequence[AnyJob]
    left: int
    due: float
    spacing: float

    def later(self, now: float) -> int:
        """Return how many of the jobs are not due yet."""
        count = len(self.jobs)
        due = max(0.0, now - self.due) / self.spacing + 1 if self.spacing > 0 else count
        return min(self.left, count - int(min(due, count)))


class QueuedRequests:
    """The requests by their numbers. A large one has several images."""

    def __init__(self) -> None:
        self._requests: dict[int, _QueuedJobs] = {}
        self._large: dict[int, _QueuedJobs] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __contains__(self, number: int) -> bool:
        return number in self._requests

    @property
    def large(self) -> int:
        """How many requests have several images."""
        return len(self._large)

    def add(self, jobs: Sequence[AnyJob], due: float, spacing: float = 0.0) -> None:
        """Add a request: its jobs, when the first is due, and the seconds between them."""
        number, deadline = jobs[0].request, jobs[0].deadline
        self._requests[number] = request = _QueuedJobs(jobs, len(jobs), due, spacing)
        if len(jobs) > 1:
            self._large[number] = request
        if deadline < float("inf"):
            heapq.heappush(self._deadlines, (deadline, number))

    def jobs(self, number: int) -> Sequence[AnyJob]:
        """Return the jobs of a request, those that are done included; none of one that has none left."""
        return self._requests[number].jobs if number in self._requests else ()

    def job_done(self, number: int) -> None:
        """Note that one more job of a request is done."""
        request = self._requests[number]
        request.left -= 1
        if not request.left:
            del self._requests[number]
            self._large.pop(number, None)

    def later(self, lane: str, now: float) -> tuple[int, int]:
        """Return how many jobs of a lane are due after `now`, and their encoded bytes together.

        A new request need not wait for them: only large requests have any.
        """
        jobs = size = 0
        for request in self._large.values():
            if request.jobs[-1].lane == lane and (count := request.later(now)):
                jobs += count
                size += sum(job.size for job in request.jobs[-count:])
        return jobs, size

    def next_deadline(self) -> float | None:
        """Return the earliest deadline of all requests that have one."""
        while self._deadlines and self._deadlines[0][1] not in self._requests:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def take_expired(self, now: float) -> int | None:
        """Return the number of a request whose deadline has passed, each once; None where there is none."""
        deadline = self.next_deadline()
        return heapq.heappop(self._deadlines)[1] if deadline is not None and deadline <= now else None
