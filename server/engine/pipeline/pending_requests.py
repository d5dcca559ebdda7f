"""PendingRequests: collects the outcomes of the jobs of each request, and answers the request once."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from server.engine.payload import ImagePayload
from server.engine.pipeline.pipeline_metrics import PipelineMetrics
from server.engine.scheduling.job import DECODED_BATCHES, Job
from server.ipc.outcome import STAGES, Failure, Outcome, Reply

_DROPPED = {"out_of_memory": "out_of_memory", "scoring_failed": "failed", "internal_error": "failed"}
_EXPIRED = Failure("deadline_exceeded", "The request was not scored before its deadline. Try again, or send less.")


@dataclass(slots=True, eq=False)
class _PendingRequest:
    answer: Callable[[Reply], None]
    outcomes: list[Outcome | None]
    left: int
    stages: dict[str, float] = field(default_factory=dict)


class PendingRequests:
    """The requests that have not been answered. Not thread-safe: its owner holds a lock."""

    def __init__(self, metrics: PipelineMetrics) -> None:
        self._metrics = metrics
        self._numbers = itertools.count(1)
        self._pending: dict[int, _PendingRequest] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._pending

    def new_number(self) -> int:
        """Return a number for the next request."""
        return next(self._numbers)

    def add(self, number: int, jobs: int, answer: Callable[[Reply], None]) -> None:
        """Add a request of so many jobs. `answer` is called once, unless the request is forgotten."""
        self._pending[number] = _PendingRequest(answer, [None] * jobs, jobs)

    def forget(self, number: int) -> None:
        """Drop a request whose client has left."""
        self._pending.pop(number, None)

    def settle(self, job: Job[Any], outcome: Outcome, encode_s: float) -> None:
        """Store the outcome of a job, and answer its request if that was its last job."""
        own = job.lane != DECODED_BATCHES  # a decode worker counts its images itself
        if own and isinstance(outcome, Failure) and outcome.code in _DROPPED:
            self._metrics.dropped(_DROPPED[outcome.code])
        request = self._pending.get(job.request)
        if request is None:  # cancelled or expired meanwhile
            return
        payload: ImagePayload = job.payload
        # what is left of its time, since a job of several batches waits before each of them
        worked_s = payload.decode_s + payload.device_s + payload.cpu_s + encode_s
        queue_s = max(0.0, time.monotonic() - job.arrived - worked_s)
        seconds = dict(zip(STAGES, (payload.decode_s, queue_s, payload.device_s, encode_s), strict=True))
        if own:
            self._metrics.stages(seconds)
        if payload.cpu_s:
            seconds["cpu"] = payload.cpu_s
        request.outcomes[job.index] = outcome
        request.stages = max(request.stages, seconds, key=lambda stages: sum(stages.values()))
        request.left -= 1
        if not request.left:
            self._answer(job.request, request)

    def expire(self, number: int) -> None:
        """Answer a request whose deadline has passed: jobs without an outcome fail."""
        request = self._pending.get(number)
        if request is not None:
            self._metrics.dropped("deadline", request.left)
            request.outcomes = [_EXPIRED if outcome is None else outcome for outcome in request.outcomes]
            self._answer(number, request)

    def _answer(self, number: int, request: _PendingRequest) -> None:
        del self._pending[number]
        outcomes = [outcome for outcome in request.outcomes if outcome is not None]
        request.answer(Reply(outcomes, request.stages))
