"""Scheduler: which job is decoded next, and which jobs run together. A pure state machine; time is passed in.

There is no fixed batching timer. Whenever the device is free it takes what is ready, up to a bound on cost. It waits
only while a decoder is about to deliver another job, and never longer than the fixed cost that joining one batch saves.
A device that computes on the cores of the decoders takes turns with them and with the lanes' other CPU tasks: the
threads of a batch wait for each other, so one that loses its core to a decoder holds up all of them.

The jobs of a lane run in the order in which they are due. The images of one request are due one service time after the
other, so a large request neither blocks small ones nor is starved by them.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.engine.scheduling.job import AnyJob, Batch, Stage
from server.engine.scheduling.lanes import CpuTask, Lane
from server.latency import LatencyModel

Again = Mapping[AnyJob, tuple[Stage, float]]

_NOTHING: Again = {}
_AHEAD = 2.0  # batches decoded ahead of the device: enough that it never waits, few enough to cancel cheaply
_REST = 1 / 50  # the share of a full queue that must be done before it is worth asking again
_HALF = 0.5  # a batch that is less full waits while the device has another one, since it may grow meanwhile
_PATIENCE = 2.0  # a batch waits for decoders at most this many times as long as they usually take


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one batch, on waiting for a fuller one, and on the predicted time of all queued work.

    `at_once` is the number of batches that the device holds before the first of them is done. `decoders` is the number
    of CPU threads that decode at once, and of those that do CPU tasks. `shared_cores` says that the device is the CPU,
    on whose cores all of these threads run too.
    """

    max_images: int
    max_cost: float
    max_delay_s: float = 0.0
    queue_limit_s: float = float("inf")
    at_once: int = 1
    decoders: int = 1
    shared_cores: bool = False


@dataclass(slots=True)
class _QueuedJobs:
    jobs: Sequence[AnyJob]
    left: int


class Scheduler:
    """Admits, orders, batches, cancels and expires jobs. Not safe for threads; its owner holds a lock."""

    def __init__(self, limits: Limits, lanes: Mapping[str, float]) -> None:
        self.limits = limits
        self.max_cost = limits.max_cost
        self.decoder = LatencyModel()
        self._lanes = {name: Lane(name, weight) for name, weight in lanes.items()}
        self._requests: dict[int, _QueuedJobs] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._decoding = 0
        self._cpu_tasks = 0
        self._running = 0  # batches
        self._free_since = 0.0  # when the last batch or CPU task ended
        self._clock = 0.0  # device use of the lane that ran last; an idle lane returns at this point

    def admit(self, jobs: Sequence[AnyJob], now: float) -> float | None:
        """Queue the jobs of one request; or return in how many seconds to try again, and queue none of them."""
        room = min(self.limits.queue_limit_s, jobs[0].deadline - now)
        backlogs = {lane: self._backlog_s(lane) for lane in {job.lane for job in jobs}}
        for name, backlog in backlogs.items():
            wait = backlog * self._lanes[name].correction.factor
            if self._lanes[name].depth() and wait > room:
                return max(wait - room, _REST * room)
        for position, job in enumerate(jobs):
            lane = self._lanes[job.lane]
            job.predicted_s = backlogs.pop(job.lane, 0.0)  # for the first of a lane; the others wait for that one too
            job.due = now + lane.device.line()[0] * job.cost * job.passes * position
            lane.add(job)
        self._requests[jobs[0].request] = _QueuedJobs(jobs, len(jobs))
        heapq.heappush(self._deadlines, (jobs[0].deadline, jobs[0].request))
        return None

    def enter(self, job: AnyJob) -> None:
        """Queue the only job of a request, which is decoded, and was let in where that was done."""
        job.stage, job.due = Stage.READY, job.arrived
        self._lanes[job.lane].add(job)
        self._requests[job.request] = _QueuedJobs((job,), 1)

    def learn(self, lane: str, cost: float, seconds: float) -> None:
        """Note that a batch of `cost` took a device `seconds`."""
        self._lanes[lane].device.observe(cost, seconds)

    def close(self, lane: str) -> None:
        """Have the jobs of a lane wait, decoded, until it is opened."""
        self._lanes[lane].open = False

    def open(self, lane: str, seen: Sequence[tuple[float, float]]) -> None:
        """Let the jobs of a lane run, whose batches take (cost, seconds) as `seen`."""
        self._lanes[lane].open = True
        for cost, seconds in seen:
            self.learn(lane, cost, seconds)

    def renew(self, limits: Limits, lane: str, seen: Sequence[tuple[float, float]]) -> None:
        """Go on with other limits, as what a `lane` runs now takes other times: (cost, seconds) of some batches."""
        memory_bound = self.max_cost < self.limits.max_cost
        self.max_cost = min(self.max_cost, limits.max_cost) if memory_bound else limits.max_cost
        self.limits = limits
        self._lanes[lane].device = LatencyModel()
        for cost, seconds in seen:
            self.learn(lane, cost, seconds)

    def run_s(self, lane: str, cost: float, passes: float) -> float:
        """Predict the device time of one job of `lane` that has the device to itself."""
        return self._lanes[lane].device.backlog_seconds(cost * passes, self.max_cost)

    def wait_s(self, lane: str) -> float:
        """Predict how long a new request would wait in `lane`: for the jobs before it, at the lane's share."""
        return self._backlog_s(lane) * self._lanes[lane].correction.factor

    def _backlog_s(self, lane: str) -> float:
        own = self._lanes[lane]
        work = {name: other.work_s(self.limits.max_images, self.max_cost) for name, other in self._lanes.items()}
        rivals = sum(other.weight for other in self._lanes.values() if work[other.name] and other is not own)
        if self.limits.shared_cores:
            for name, other in self._lanes.items():
                work[name] += other.depth() * other.cpu_task.seconds(1) / self.limits.decoders
        device = min(sum(work.values()), work[lane] * (own.weight + rivals) / own.weight)
        waiting = own.tally[Stage.WAITING]
        per_byte, per_picture = self.decoder.line()
        decoding = (per_byte * waiting.size + per_picture * waiting.jobs) / self.limits.decoders
        # where they share no cores, both go on at the same time
        return device + decoding if self.limits.shared_cores else max(device, decoding)

    def next_decode(self) -> AnyJob | None:
        """Take the job to decode next; None while all decoders are busy or enough is decoded ahead."""
        taking_turns = self.limits.shared_cores and self._running > 0
        busy = self._decoding + (self._cpu_tasks if self.limits.shared_cores else 0)
        if taking_turns or busy >= self.limits.decoders:
            return None
        for lane in self._by_use(Stage.WAITING):
            job = lane.first(Stage.WAITING)
            if job is not None and not self._is_ahead(lane):
                lane.move(job, Stage.DECODING)
                self._decoding += 1
                return job
        return None

    def decoded(
        self, job: AnyJob, seconds: float, now: float, *, passes: float | None = None, cost: float | None = None
    ) -> None:
        """Note that a decoder is done with `job`, which is ready to run unless it was dropped meanwhile.

        It takes `passes` of `cost` each, where that could only be guessed before.
        """
        self._decoding -= 1
        self.decoder.observe(job.size, seconds)
        if job.stage is Stage.DECODING:
            lane = self._lanes[job.lane]
            if lane.first(Stage.READY) is None:
                # an idle lane must not save up device time and then shut the others out
                lane.used = max(lane.used, self._clock)
                lane.ready_since = now
            lane.move(job, Stage.READY, passes, cost)

    def undecodable(self, job: AnyJob) -> None:
        """Note that a decoder gave up on `job`."""
        self._decoding -= 1
        self._drop(job)

    def add_cpu_task(self, lane: str, task: CpuTask) -> None:
        """Queue work of a lane for a CPU thread, beside its batches."""
        self._lanes[lane].cpu_tasks.append(task)

    def next_cpu_task(self) -> tuple[str, CpuTask] | None:
        """Take the CPU task to do next, and its lane; None while the threads are busy or their cores are needed."""
        shared = self.limits.shared_cores
        if self._cpu_tasks + (self._decoding if shared else 0) >= self.limits.decoders:
            return None
        for lane in sorted(self._lanes.values(), key=lambda lane: lane.used):
            if lane.cpu_tasks and not (shared and (self._running or self._comes_after(lane))):
                self._cpu_tasks += 1
                return lane.name, lane.cpu_tasks.popleft()
        return None

    def cpu_task_done(self, lane_name: str, seconds: float, now: float) -> None:
        """Note that a CPU task has ended; on shared cores it took its lane's share of them."""
        self._cpu_tasks -= 1
        self._free_since = now
        lane = self._lanes[lane_name]
        lane.cpu_task.observe(1, seconds)
        if self.limits.shared_cores:
            lane.used += seconds / self.limits.decoders / lane.weight

    def next_batch(self, now: float) -> Batch | None:
        """Take the jobs to run next; None while the device is busy, or nothing is ready or worth starting yet."""
        if self._is_busy():
            return None
        for lane in self._by_use(Stage.READY):
            if now < self._start_at(lane):
                continue
            batch = Batch(lane.name, tuple(lane.take(self.limits.max_images, self.max_cost)))
            for job in batch.jobs:
                if not job.started:
                    lane.correction.observe(job.predicted_s, now - job.arrived)
                job.started = now
            self._running, self._clock = self._running + 1, lane.used
            return batch
        return None

    def finished(
        self, batch: Batch, seconds: float, *, learn: bool = True, work: float | None = None, again: Again = _NOTHING
    ) -> None:
        """Note that the device is done with `batch`; a batch that failed teaches nothing about speed.

        `work` is the cost of what was really run where that is not all of the batch once. `again` holds the jobs
        that need the device again, with the stage they go on in, READY or PARKED, and the passes they still need.
        """
        self._running -= 1
        self._free_since = batch.jobs[0].started + seconds
        if learn:
            self.learn(batch.lane, batch.cost if work is None else work, seconds)
        lane = self._lanes[batch.lane]
        lane.used += seconds / lane.weight
        for job in batch.jobs:
            if job.stage is Stage.RUNNING and job in again:
                lane.move(job, *again[job])
            elif job.stage is Stage.RUNNING:
                self._drop(job)

    def resume(self, job: AnyJob) -> None:
        """Note that the CPU tasks that a PARKED job waited for are done."""
        if job.stage is Stage.PARKED:
            self._lanes[job.lane].move(job, Stage.READY)

    def give_up(self, job: AnyJob) -> None:
        """Drop one job, wherever it is; the others of its request go on."""
        self._drop(job)

    def shrink(self, cost: float) -> None:
        """Remember that a batch of `cost` did not fit into memory: half of it is the new bound."""
        self.max_cost = min(self.max_cost, cost / 2)

    def cancel(self, request: int) -> list[AnyJob]:
        """Drop a request; returns its jobs that will now never run."""
        known = self._requests.get(request)
        jobs = known.jobs if known else ()
        spared = [job for job in jobs if job.stage not in (Stage.RUNNING, Stage.DONE)]
        for job in jobs:
            self._drop(job)
        return spared

    def expire(self, now: float) -> list[int]:
        """Drop the requests whose deadline has come; returns their numbers."""
        expired = []
        while self._deadlines and self._deadlines[0][0] <= now:
            request = heapq.heappop(self._deadlines)[1]
            if request in self._requests:
                expired.append(request)
                self.cancel(request)
        return expired

    def wake_at(self) -> float | None:
        """Return the time at which `expire` or `next_batch` has something new to say if nothing else happens."""
        while self._deadlines and self._deadlines[0][1] not in self._requests:
            heapq.heappop(self._deadlines)
        times = [self._deadlines[0][0]] if self._deadlines else []
        if not self._is_busy():
            times += [self._start_at(lane) for lane in self._by_use(Stage.READY)]
        return min(times, default=None)

    def depth(self, besides: str = "") -> int:
        """Count the jobs that are queued or running, `besides` those of one lane."""
        return sum(lane.depth() for lane in self._lanes.values() if lane.name != besides)

    def lane_depth(self, lane: str) -> int:
        """Count the jobs of one lane that are queued or running."""
        return self._lanes[lane].depth()

    def _by_use(self, stage: Stage) -> list[Lane]:
        return sorted((lane for lane in self._lanes.values() if lane.first(stage)), key=lambda lane: lane.used)

    def _is_busy(self) -> bool:
        return self._running >= self.limits.at_once or (self.limits.shared_cores and self._cpu_tasks > 0)

    def _first_to_decode(self, lane: Lane) -> Lane | None:
        """Find another lane that is due before this one, as soon as its decoders have delivered."""
        for other in self._lanes.values():
            if other is lane or not other.open:
                continue
            # an idle lane returns at the clock
            if other.tally[Stage.DECODING].jobs and max(other.used, self._clock) < lane.used:
                return other
        return None

    def _comes_after(self, lane: Lane) -> bool:
        """Whether another lane has something to run, or soon will, and is due before this one."""
        ready = any(other.first(Stage.READY) and other.used < lane.used for other in self._lanes.values() if other.open)
        return ready or self._first_to_decode(lane) is not None

    def _is_ahead(self, lane: Lane) -> bool:
        ahead = (lane.tally[Stage.DECODING], lane.tally[Stage.READY])
        batches = 1.0 if self.limits.shared_cores else _AHEAD
        return (
            sum(tally.jobs for tally in ahead) >= batches * self.limits.max_images
            or sum(tally.cost for tally in ahead) >= batches * self.max_cost
        )

    def _start_at(self, lane: Lane) -> float:
        """The time until which a batch of this lane is better held back, for more jobs or for a lane that is due."""
        if not lane.open:
            return math.inf
        start_at, ready = 0.0, lane.tally[Stage.READY]
        if self.limits.shared_cores and (other := self._first_to_decode(lane)) is not None:
            start_at = max(lane.ready_since, self._free_since) + self._worth_waiting_s(other)
        fill = max(ready.jobs / self.limits.max_images, ready.cost / self.max_cost)
        if fill >= 1:
            return start_at
        if self._running and fill < _HALF:
            return math.inf
        if self.limits.max_delay_s:
            start_at = max(start_at, lane.oldest_arrival() + self.limits.max_delay_s)
        if lane.tally[Stage.DECODING].jobs:
            start_at = max(start_at, lane.ready_since + self._worth_waiting_s(lane))
        return start_at

    def _worth_waiting_s(self, lane: Lane) -> float:
        saved = lane.device.line()[1]
        if not self.limits.shared_cores:
            return saved
        jobs = [lane.tally[stage] for stage in (Stage.WAITING, Stage.DECODING, Stage.READY)]
        count, size = sum(tally.jobs for tally in jobs), sum(tally.size for tally in jobs)
        per_byte, per_picture = self.decoder.line()
        decoding = (per_byte * size / count + per_picture) * min(count, self.limits.max_images) / self.limits.decoders
        return max(saved, _PATIENCE * decoding)

    def _drop(self, job: AnyJob) -> None:
        if job.stage is Stage.DONE:
            return
        self._lanes[job.lane].move(job, Stage.DONE)
        request = self._requests[job.request]
        request.left -= 1
        if not request.left:
            del self._requests[job.request]
