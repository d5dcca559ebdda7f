"""Lane: the jobs of one kind of work, such as scoring, with the two queues of those that wait."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from server.engine.scheduling.job import AnyJob, Stage
from server.engine.scheduling.wait_correction import WaitCorrection
from server.latency import LatencyModel

_QUEUED = (Stage.WAITING, Stage.READY)

RunCpuTask = Callable[[], None]  # runs a CPU task; called once, on any CPU thread
Entry = tuple[float, int, AnyJob]  # due time, and a counter that breaks ties


@dataclass(slots=True)
class Tally:
    """The totals of the jobs in one stage of a lane. `work` is the sum of cost times passes; see Job for the units."""

    jobs: int = 0
    cost: float = 0.0
    work: float = 0.0
    size: int = 0

    def add(self, job: AnyJob, sign: int) -> None:
        """Count a job in (+1) or out (-1)."""
        self.jobs += sign
        # an empty stage has exactly zero: sums of floats may keep a remainder
        self.cost = self.cost + sign * job.cost if self.jobs else 0.0
        self.work = self.work + sign * job.cost * job.passes if self.jobs else 0.0
        self.size += sign * job.size


@dataclass(slots=True)
class Lane:
    """Two queues ordered by due time. `used` is the device time used so far, divided by the lane's weight.

    The lane with the least `used` runs next, so that lanes share device time by weight. The jobs of a lane that is not
    `open` wait. `ready_since` is the time at which the first of the READY jobs became READY. `device` learns the time
    of batches, `cpu_task` the time of one of the `cpu_tasks`, and `correction` the error of predicted waits.
    """

    name: str
    weight: float
    open: bool = True
    used: float = 0.0
    ready_since: float = 0.0
    device: LatencyModel = field(default_factory=LatencyModel)
    cpu_task: LatencyModel = field(default_factory=LatencyModel)
    correction: WaitCorrection = field(default_factory=WaitCorrection)
    cpu_tasks: deque[RunCpuTask] = field(default_factory=deque)
    tally: dict[Stage, Tally] = field(default_factory=lambda: {stage: Tally() for stage in Stage})
    _queues: dict[Stage, list[Entry]] = field(default_factory=lambda: {stage: [] for stage in _QUEUED})
    _pushed: int = 0

    def add(self, job: AnyJob) -> None:
        """Add a new job to the queue of its stage, WAITING or READY."""
        self.tally[job.stage].add(job, +1)
        self._push(job)

    def move(self, job: AnyJob, stage: Stage, passes: float | None = None, cost: float | None = None) -> None:
        """Move a job to another stage, and into that stage's queue if it has one.

        `passes` is the number of passes that it still needs, and `cost` the cost of each, where they have changed.
        """
        self.tally[job.stage].add(job, -1)
        job.stage = stage
        job.passes = job.passes if passes is None else passes
        job.cost = job.cost if cost is None else cost
        if stage is not Stage.DONE:
            self.tally[stage].add(job, +1)
        if stage in _QUEUED:
            self._push(job)

    def first(self, stage: Stage) -> AnyJob | None:
        """Return the job of `stage` that is due first. Removes entries of jobs that have left the stage."""
        queue = self._queues[stage]
        while queue and queue[0][2].stage is not stage:
            heapq.heappop(queue)
        return queue[0][2] if queue else None

    def take(self, max_jobs: int, max_cost: float) -> list[AnyJob]:
        """Move the READY jobs of the next batch to RUNNING: the one due first, then others of its shape in due order.

        Jobs that do not fit keep their place in the queue. A job that exceeds `max_cost` by itself runs alone.
        """
        queue, taken, skipped, cost = self._queues[Stage.READY], list[AnyJob](), list[Entry](), 0.0
        while queue and len(taken) < max_jobs:
            entry = heapq.heappop(queue)
            job = entry[2]
            if job.stage is not Stage.READY:
                continue
            if taken and job.shape != taken[0].shape:
                skipped.append(entry)
                continue
            if taken and cost + job.cost > max_cost:
                skipped.append(entry)
                break
            cost += job.cost
            self.move(job, Stage.RUNNING)
            taken.append(job)
        for entry in skipped:
            heapq.heappush(queue, entry)
        return taken

    def work_s(self, max_images: int, max_cost: float) -> float:
        """Predict the device time of all jobs of the lane, running ones included, in batches of at most these sizes."""
        jobs, cost = self.depth(), sum(tally.cost for tally in self.tally.values())
        work = sum(tally.work for tally in self.tally.values())
        return self.device.backlog_seconds(work, min(max_cost, max_images * cost / jobs)) if jobs else 0.0

    def depth(self) -> int:
        """Count the jobs that are queued or running."""
        return sum(tally.jobs for tally in self.tally.values())

    def oldest_arrival(self) -> float:
        """Return the earliest arrival of the READY jobs."""
        return min(job.arrived for _, _, job in self._queues[Stage.READY] if job.stage is Stage.READY)

    def _push(self, job: AnyJob) -> None:
        self._pushed += 1  # breaks ties, so that equal jobs keep their order
        heapq.heappush(self._queues[job.stage], (job.due, self._pushed, job))
