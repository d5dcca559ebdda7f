"""Lane: the jobs of one kind of work, waiting to be decoded or ready to run."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from server.engine.scheduling.job import AnyJob, Stage
from server.engine.scheduling.wait_correction import WaitCorrection
from server.latency import LatencyModel

_QUEUED = (Stage.WAITING, Stage.READY)

CpuTask = Callable[[], None]  # called once, on any CPU thread
Entry = tuple[float, int, AnyJob]  # due time, and a counter that breaks ties


@dataclass(slots=True)
class Tally:
    """What a stage of a lane holds: jobs, pixels of network input, the same times passes, encoded bytes."""

    jobs: int = 0
    cost: float = 0.0
    work: float = 0.0
    size: int = 0

    def add(self, job: AnyJob, sign: int) -> None:
        """Count a job in (+1) or out (-1)."""
        self.jobs += sign
        # empty means zero: a float sum that lost its last term may otherwise keep a trace of it
        self.cost = self.cost + sign * job.cost if self.jobs else 0.0
        self.work = self.work + sign * job.cost * job.passes if self.jobs else 0.0
        self.size += sign * job.size


@dataclass(slots=True)
class Lane:
    """Two queues ordered by due time, and the device time used so far in units of the lane's weight.

    The lane with the least `used` runs next, so that lanes share device time by weight. The jobs of a lane that is not
    `open` wait. `ready_since` is the time at which the first of the READY jobs became READY. `device` learns how long
    batches take, `cpu_task` how long one of the waiting `cpu_tasks` takes, and `correction` how far predicted waits
    are off.
    """

    name: str
    weight: float
    open: bool = True
    used: float = 0.0
    ready_since: float = 0.0
    device: LatencyModel = field(default_factory=LatencyModel)
    cpu_task: LatencyModel = field(default_factory=LatencyModel)
    correction: WaitCorrection = field(default_factory=WaitCorrection)
    cpu_tasks: deque[CpuTask] = field(default_factory=deque)
    tally: dict[Stage, Tally] = field(default_factory=lambda: {stage: Tally() for stage in Stage})
    _queues: dict[Stage, list[Entry]] = field(default_factory=lambda: {stage: [] for stage in _QUEUED})
    _pushed: int = 0

    def add(self, job: AnyJob) -> None:
        """Take in a new job, which is WAITING."""
        self.tally[job.stage].add(job, +1)
        self._push(job)

    def move(self, job: AnyJob, stage: Stage, passes: float | None = None, cost: float | None = None) -> None:
        """Bring a job into another stage, and into that stage's queue if it has one.

        `passes` is how many it still needs, `cost` what each costs, where that is better known by now.
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
        """Return the job that is due first in `stage`; entries of jobs that moved on are cleared away."""
        queue = self._queues[stage]
        while queue and queue[0][2].stage is not stage:
            heapq.heappop(queue)
        return queue[0][2] if queue else None

    def take(self, max_jobs: int, max_cost: float) -> list[AnyJob]:
        """Bring READY jobs that run together into RUNNING: the one due first, and others of its shape in their order.

        What does not fit stays first in line; a job that alone exceeds the bound on cost runs alone.
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
        """Predict the device time of everything in the lane, running jobs included, in batches of these bounds."""
        jobs, cost = self.depth(), sum(tally.cost for tally in self.tally.values())
        work = sum(tally.work for tally in self.tally.values())
        return self.device.backlog_seconds(work, min(max_cost, max_images * cost / jobs)) if jobs else 0.0

    def depth(self) -> int:
        """Count the jobs that are queued or running."""
        return sum(tally.jobs for tally in self.tally.values())

    def oldest_arrival(self) -> float:
        """Return the arrival of the job that has been here longest among the READY ones."""
        return min(job.arrived for _, _, job in self._queues[Stage.READY] if job.stage is Stage.READY)

    def _push(self, job: AnyJob) -> None:
        self._pushed += 1  # breaks ties, so that equal jobs keep their order
        heapq.heappush(self._queues[job.stage], (job.due, self._pushed, job))
