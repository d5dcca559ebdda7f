"""Scheduler: decides which job is decoded next and which jobs run together. A pure state machine; time is passed in.

There is no fixed batching timer. A free device takes the jobs that are ready, up to a bound on cost. It waits only
while a decoder is about to deliver another job, and never longer than the fixed time that joining one batch saves.
A device that computes on the cores of the decoders never runs at the same time as decoding or CPU tasks: the threads of
a batch wait for each other, so a thread that loses its core to a decoder delays all of them.

The jobs of a lane run in the order in which they are due. Each image of a request is due two service times after the
one before it, so a large request takes half the device from small ones, and all that they leave. A new request waits
for what is due before it, and not for the rest of large ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.engine.scheduling.job import AnyJob, Batch, Stage
from server.engine.scheduling.lanes import Lane, RunCpuTask
from server.engine.scheduling.queued_requests import QueuedRequests
from server.latency import LatencyModel

# jobs that need the device again -> (their next stage, the passes that they still need)
Unfinished = Mapping[AnyJob, tuple[Stage, float]]

_NONE_UNFINISHED: Unfinished = {}
_BATCHES_AHEAD = 2.0  # decoded ahead of the device: enough that it never waits, few enough to cancel cheaply
_MIN_RETRY_SHARE = 1 / 50  # a refused client waits at least until this share of a full queue is done
_SPREAD = 2.0  # the images of a large request are due over so many times the seconds that they take
_OUTDATED_S = 1.0  # after so many seconds without a batch, a prediction that refuses a request is checked
_MIN_FILL = 0.5  # a batch that is less full waits while the device runs another one, since it may grow meanwhile
_DECODE_WAIT = 2.0  # a batch waits for decoders at most this many times as long as they usually take


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one batch, on waiting for a fuller one, and on the predicted time of all queued work.

    `max_running` is the number of batches that the device holds at the same time. `decoders` is the number of CPU
    threads that decode, and of those that run CPU tasks. `shared_cores` means that the device is the CPU, so that these
    threads run on its cores too.
    """

    max_images: int
    max_cost: float
    max_delay_s: float = 0.0
    queue_limit_s: float = float("inf")
    max_running: int = 1
    decoders: int = 1
    shared_cores: bool = False


class Scheduler:
    """Admits, orders, batches, cancels and expires jobs. Not thread-safe: its owner holds a lock."""

    def __init__(self, limits: Limits, lanes: Mapping[str, float]) -> None:
        self.limits = limits
        self.max_cost = limits.max_cost
        self.decoder = LatencyModel()
        self._lanes = {name: Lane(name, weight) for name, weight in lanes.items()}
        self._requests = QueuedRequests()
        self._decoding = 0
        self._cpu_tasks = 0
        self._running = 0  # batches
        self._free_since = 0.0  # when the last batch or CPU task ended
        self._clock = 0.0  # `used` of the lane that ran last; the value at which an idle lane starts again

    def admit(self, jobs: Sequence[AnyJob], now: float) -> float | None:
        """Queue the jobs of one request; or return the seconds after which to try again, and queue none of them.

        A request is refused where its first job would begin too late, or its last one end after the deadline. By that
        time all that is queued now has ended, so that there is no later time to try again.
        """
        left_s = jobs[0].deadline - now
        room = min(self.limits.queue_limit_s, left_s)
        backlogs = {lane: self._backlog_s(lane, now) for lane in {job.lane for job in jobs}}
        for name, backlog in backlogs.items():
            lane = self._lanes[name]
            wait = backlog * lane.correction.factor
            own = [job for job in jobs if job.lane == name]
            end = self._end_s(lane, own) if len(own) > 1 else 0.0
            if lane.depth() and (wait > room or end > left_s):
                return min(max(wait - room, end - left_s, _MIN_RETRY_SHARE * room), left_s)
        spacing = self._spacing_s(jobs)
        for position, job in enumerate(jobs):
            lane = self._lanes[job.lane]
            job.predicted_s = backlogs.pop(job.lane, 0.0)  # for the first of a lane; the others wait for it too
            job.due = now + spacing * position
            lane.add(job)
        self._requests.add(jobs, now, spacing)
        return None

    def _spacing_s(self, jobs: Sequence[AnyJob]) -> float:
        """Return the seconds between the due times of a request's images, so that large ones take half the device."""
        own = sum(self._lanes[job.lane].device.backlog_seconds(job.cost * job.passes, self.max_cost) for job in jobs)
        return _SPREAD * own / len(jobs) * (1 + self._requests.large)

    def _end_s(self, lane: Lane, jobs: Sequence[AnyJob]) -> float:
        """Predict the seconds until new jobs of a lane end, after all that is in it."""
        work = sum(job.cost * job.passes for job in jobs)
        own = lane.device.backlog_seconds(work, self.max_cost) + self.decode_s(sum(job.size for job in jobs), len(jobs))
        return (self._backlog_s(lane.name) + own) * lane.correction.factor

    def add_decoded(self, job: AnyJob) -> None:
        """Queue the only job of a request, which a decode worker has already admitted and decoded."""
        job.stage, job.due = Stage.READY, job.arrived
        self._lanes[job.lane].add(job)
        self._requests.add((job,), job.due)

    def learn(self, lane: str, cost: float, seconds: float, now: float | None = None) -> None:
        """Learn that a batch of `cost` took `seconds`, and ended `now` where that is given."""
        self._lanes[lane].device.observe(cost, seconds, now)

    def needs_measuring(self, lane: str, now: float) -> bool:
        """Return whether predictions for a lane may be outdated: it has no jobs, and had none for some time."""
        own = self._lanes[lane]
        return own.open and not own.depth() and now - own.device.observed_at > _OUTDATED_S

    def decode_s(self, size: int, jobs: int) -> float:
        """Predict the seconds in which so many images of `size` encoded bytes together are decoded."""
        per_byte, per_image = self.decoder.line()
        return (per_byte * size + per_image * jobs) / self.limits.decoders

    def close(self, lane: str) -> None:
        """Stop running the jobs of a lane. They are still decoded, and wait until `open`."""
        self._lanes[lane].open = False

    def open(self, lane: str, costs: Sequence[tuple[float, float]]) -> None:
        """Let the jobs of a lane run. `costs` are the (cost, seconds) of some of its batches."""
        self._lanes[lane].open = True
        for cost, seconds in costs:
            self.learn(lane, cost, seconds)

    def replace_limits(self, limits: Limits, lane: str, costs: Sequence[tuple[float, float]]) -> None:
        """Use other limits, and learn anew how long batches of `lane` take: `costs`, the (cost, seconds) of some."""
        memory_bound = self.max_cost < self.limits.max_cost
        self.max_cost = min(self.max_cost, limits.max_cost) if memory_bound else limits.max_cost
        self.limits = limits
        self._lanes[lane].device = LatencyModel()
        for cost, seconds in costs:
            self.learn(lane, cost, seconds)

    def run_s(self, lane: str, cost: float, passes: float) -> float:
        """Predict the device time of one job of `lane` that has the device to itself, in seconds."""
        return self._lanes[lane].device.backlog_seconds(cost * passes, self.max_cost)

    def wait_s(self, lane: str) -> float:
        """Predict the seconds that a new request waits for the jobs before it in `lane`, at the lane's share."""
        return self._backlog_s(lane) * self._lanes[lane].correction.factor

    def _backlog_s(self, lane: str, now: float = math.inf) -> float:
        """Predict the seconds that the jobs in a lane take at its share of the device: those that are due by `now`."""
        own = self._lanes[lane]
        work = {name: other.work_s(self.limits.max_images, self.max_cost) for name, other in self._lanes.items()}
        later, size = self._requests.later(lane, now)
        competing = sum(other.weight for other in self._lanes.values() if work[other.name] and other is not own)
        if self.limits.shared_cores:
            for name, other in self._lanes.items():
                work[name] += other.depth() * other.cpu_task.seconds(1) / self.limits.decoders
        work[lane] *= 1 - later / max(1, own.depth())
        device = min(sum(work.values()), work[lane] * (own.weight + competing) / own.weight)
        waiting = own.tally[Stage.WAITING]
        decoding = self.decode_s(max(0, waiting.size - size), max(0, waiting.jobs - later))
        # on separate cores, device and decoders work at the same time
        return device + decoding if self.limits.shared_cores else max(device, decoding)

    def next_decode(self) -> AnyJob | None:
        """Take the job to decode next; None while all decoders are busy or enough jobs are decoded."""
        cores_are_taken = self.limits.shared_cores and self._running > 0
        busy = self._decoding + (self._cpu_tasks if self.limits.shared_cores else 0)
        if cores_are_taken or busy >= self.limits.decoders:
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
        """Note that a decoder took `seconds` for `job`, which is READY now unless it was dropped meanwhile.

        `passes` and `cost` replace the estimates of the job, where given.
        """
        self._decoding -= 1
        self.decoder.observe(job.size, seconds, now)
        if job.stage is Stage.DECODING:
            self._make_ready(job, now, passes, cost)

    def isolate(self, job: AnyJob) -> None:
        """Note that another process decodes a job that was taken to be decoded: it holds no decoder up meanwhile."""
        self._decoding -= 1
        if job.stage is Stage.DECODING:
            self._lanes[job.lane].move(job, Stage.PARKED)

    def decoded_in_isolation(
        self, job: AnyJob, now: float, *, passes: float | None = None, cost: float | None = None
    ) -> None:
        """Note that the other process has decoded `job`; see `decoded`."""
        if job.stage is Stage.PARKED:
            self._make_ready(job, now, passes, cost)

    def _make_ready(self, job: AnyJob, now: float, passes: float | None, cost: float | None) -> None:
        lane = self._lanes[job.lane]
        if lane.first(Stage.READY) is None:
            # an idle lane must not save up device time and then block the others
            lane.used = max(lane.used, self._clock)
            lane.ready_since = now
        lane.move(job, Stage.READY, passes, cost)

    def undecodable(self, job: AnyJob) -> None:
        """Drop a job that could not be decoded."""
        self._decoding -= 1
        self._drop(job)

    def add_cpu_task(self, lane: str, task: RunCpuTask) -> None:
        """Queue a CPU task of a lane."""
        self._lanes[lane].cpu_tasks.append(task)

    def next_cpu_task(self) -> tuple[str, RunCpuTask] | None:
        """Take the CPU task to run next, with its lane; None while the threads are busy or their cores are needed."""
        shared = self.limits.shared_cores
        if self._cpu_tasks + (self._decoding if shared else 0) >= self.limits.decoders:
            return None
        for lane in sorted(self._lanes.values(), key=lambda lane: lane.used):
            if lane.cpu_tasks and not (shared and (self._running or self._comes_after(lane))):
                self._cpu_tasks += 1
                return lane.name, lane.cpu_tasks.popleft()
        return None

    def cpu_task_done(self, lane_name: str, seconds: float, now: float) -> None:
        """Note that a CPU task took `seconds`. On shared cores, a decoder's share counts as device time of its lane."""
        self._cpu_tasks -= 1
        self._free_since = now
        lane = self._lanes[lane_name]
        lane.cpu_task.observe(1, seconds, now)
        if self.limits.shared_cores:
            lane.used += seconds / self.limits.decoders / lane.weight

    def next_batch(self, now: float) -> Batch | None:
        """Take the batch to run next; None while the device is busy, no job is ready, or waiting for more jobs pays."""
        if self._is_busy():
            return None
        for lane in self._by_use(Stage.READY):
            if now < self._start_at(lane):
                continue
            batch = Batch(lane.name, tuple(lane.take(self.limits.max_images, self.max_cost)))
            for job in batch.jobs:
                if not job.started:
                    lane.correction.observe(job.predicted_s, now - job.arrived, now)
                job.started = now
            self._running, self._clock = self._running + 1, lane.used
            return batch
        return None

    def finished(
        self,
        batch: Batch,
        seconds: float,
        *,
        learn: bool = True,
        work: float | None = None,
        unfinished: Unfinished = _NONE_UNFINISHED,
    ) -> None:
        """Note that the device took `seconds` for `batch`. Without `learn`, as after a failure, they are not learned.

        `work` is the cost that ran, where it is not that of the whole batch once. The `unfinished` jobs of the batch go
        on in the stage given, READY or PARKED; the others are dropped.
        """
        self._running -= 1
        self._free_since = batch.jobs[0].started + seconds
        if learn:
            self.learn(batch.lane, batch.cost if work is None else work, seconds, self._free_since)
        lane = self._lanes[batch.lane]
        lane.used += seconds / lane.weight
        for job in batch.jobs:
            if job.stage is Stage.RUNNING and job in unfinished:
                lane.move(job, *unfinished[job])
            elif job.stage is Stage.RUNNING:
                self._drop(job)

    def resume(self, job: AnyJob) -> None:
        """Note that the CPU tasks of a PARKED job are done."""
        if job.stage is Stage.PARKED:
            self._lanes[job.lane].move(job, Stage.READY)

    def give_up(self, job: AnyJob) -> None:
        """Drop one job, in any stage. The others of its request go on."""
        self._drop(job)

    def shrink(self, cost: float) -> None:
        """Note that a batch of `cost` ran out of memory: half of it is the new bound."""
        self.max_cost = min(self.max_cost, cost / 2)

    def cancel(self, request: int) -> list[AnyJob]:
        """Drop a request, and return its jobs that will never run."""
        jobs = self._requests.jobs(request)
        cancelled = [job for job in jobs if job.stage not in (Stage.RUNNING, Stage.DONE)]
        for job in jobs:
            self._drop(job)
        return cancelled

    def expire(self, now: float) -> list[int]:
        """Drop the requests whose deadline has passed, and return their numbers."""
        expired = []
        while (request := self._requests.take_expired(now)) is not None:
            expired.append(request)
            self.cancel(request)
        return expired

    def wake_at(self) -> float | None:
        """Return the time at which `expire` or `next_batch` must be called next, if nothing happens until then."""
        deadline = self._requests.next_deadline()
        times = [] if deadline is None else [deadline]
        if not self._is_busy():
            times += [self._start_at(lane) for lane in self._by_use(Stage.READY)]
        return min(times, default=None)

    def depth(self, besides: str = "") -> int:
        """Count the jobs that are queued or running, without those of the lane `besides`."""
        return sum(lane.depth() for lane in self._lanes.values() if lane.name != besides)

    def lane_depth(self, lane: str) -> int:
        """Count the jobs of one lane that are queued or running."""
        return self._lanes[lane].depth()

    def _by_use(self, stage: Stage) -> list[Lane]:
        return sorted((lane for lane in self._lanes.values() if lane.first(stage)), key=lambda lane: lane.used)

    def _is_busy(self) -> bool:
        return self._running >= self.limits.max_running or (self.limits.shared_cores and self._cpu_tasks > 0)

    def _first_to_decode(self, lane: Lane) -> Lane | None:
        """Return another lane that is due before this one and whose jobs are being decoded."""
        for other in self._lanes.values():
            if other is lane or not other.open:
                continue
            # an idle lane starts again at the clock
            if other.tally[Stage.DECODING].jobs and max(other.used, self._clock) < lane.used:
                return other
        return None

    def _comes_after(self, lane: Lane) -> bool:
        """Return whether another lane is due before this one and has a job that is ready or being decoded."""
        ready = any(other.first(Stage.READY) and other.used < lane.used for other in self._lanes.values() if other.open)
        return ready or self._first_to_decode(lane) is not None

    def _is_ahead(self, lane: Lane) -> bool:
        ahead = (lane.tally[Stage.DECODING], lane.tally[Stage.READY])
        batches = 1.0 if self.limits.shared_cores else _BATCHES_AHEAD
        return (
            sum(tally.jobs for tally in ahead) >= batches * self.limits.max_images
            or sum(tally.cost for tally in ahead) >= batches * self.max_cost
        )

    def _start_at(self, lane: Lane) -> float:
        """Return the time until which a batch of this lane waits for more jobs, or for a lane that is due before it."""
        if not lane.open:
            return math.inf
        start_at, ready = 0.0, lane.tally[Stage.READY]
        if self.limits.shared_cores and (other := self._first_to_decode(lane)) is not None:
            start_at = max(lane.ready_since, self._free_since) + self._worth_waiting_s(other)
        fill = max(ready.jobs / self.limits.max_images, ready.cost / self.max_cost)
        if fill >= 1:
            return start_at
        if self._running and fill < _MIN_FILL:
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
        per_byte, per_image = self.decoder.line()
        decoding = (per_byte * size / count + per_image) * min(count, self.limits.max_images) / self.limits.decoders
        return max(saved, _DECODE_WAIT * decoding)

    def _drop(self, job: AnyJob) -> None:
        if job.stage is Stage.DONE:
            return
        self._lanes[job.lane].move(job, Stage.DONE)
        self._requests.job_done(job.request)
