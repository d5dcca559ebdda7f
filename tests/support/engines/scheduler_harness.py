"""What tests of the scheduler share: jobs that cost alike, and the shortest ways through it."""

from typing import Any

from server.engine.scheduling.job import DECODED_BATCHES, AnyJob, Job
from server.engine.scheduling.scheduler import Limits, Scheduler

IMAGE = 100.0  # the cost of one image in these tests


def make_scheduler(**limits: Any) -> Scheduler:
    defaults = {"max_images": 4, "max_cost": 4 * IMAGE, "decoders": 2}
    return Scheduler(Limits(**(defaults | limits)), {"score": 8.0, DECODED_BATCHES: 8.0, "explain": 1.0})


def make_jobs(request: int, count: int = 1, now: float = 0.0, lane: str = "score", cost: float = IMAGE) -> list[AnyJob]:
    return [
        Job(request, index, cost, size=10, arrived=now, deadline=now + 60, payload=None, lane=lane)
        for index in range(count)
    ]


def admit_each(scheduler: Scheduler, count: int, lane: str = "score", first: int = 100) -> None:
    """Admit so many requests of one image each."""
    for request in range(first, first + count):
        assert scheduler.admit(make_jobs(request, lane=lane), 0.0) is None


def decode_all(scheduler: Scheduler, now: float = 0.0) -> None:
    while (job := scheduler.next_decode()) is not None:
        scheduler.decoded(job, 0.001, now)


def run_batch(scheduler: Scheduler, now: float, seconds: float = 0.1) -> list[tuple[int, int]]:
    batch = scheduler.next_batch(now)
    assert batch is not None
    scheduler.finished(batch, seconds)
    return [(job.request, job.index) for job in batch.jobs]


def cpu_task() -> None:
    """Do nothing."""
