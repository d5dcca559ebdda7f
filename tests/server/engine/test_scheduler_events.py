"""The scheduler under any order of events: nothing is lost, run twice or stuck."""

from collections import Counter

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from server.engine.scheduling.job import AnyJob, Batch, Stage
from tests.support.engines.scheduler_harness import IMAGE, cpu_task, decode_all, make_jobs, make_scheduler


class SchedulerMachine(RuleBasedStateMachine):
    """Any order of events: every admitted job ends exactly once, and no batch breaks a rule."""

    shared_cores = False

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = make_scheduler(queue_limit_s=2.0, max_delay_s=0.02, shared_cores=self.shared_cores)
        self.now = 0.0
        self.requests = 0
        self.admitted: dict[int, list[AnyJob]] = {}
        self.decoding: list[AnyJob] = []
        self.running: Batch | None = None
        self.cpu_tasks: list[str] = []  # by lane
        self.queued_cpu_tasks = 0
        self.ran: Counter[int] = Counter()
        self.over: set[int] = set()  # cancelled or expired requests

    @rule(
        count=st.integers(1, 9),
        lane=st.sampled_from(["score", "explain"]),
        patience=st.floats(0.01, 3.0),
        cost=st.sampled_from([IMAGE / 2, IMAGE, 3 * IMAGE, 9 * IMAGE]),
    )
    def admit(self, count: int, lane: str, patience: float, cost: float) -> None:
        self.requests += 1
        jobs = make_jobs(self.requests, count, self.now, lane, cost)
        for job in jobs:
            job.deadline = self.now + patience
        depth = self.scheduler.depth()
        wait = self.scheduler.admit(jobs, self.now)
        if wait is None:
            self.admitted[self.requests] = jobs
        else:
            assert wait > 0
            assert depth > 0
            assert self.scheduler.depth() == depth

    @rule()
    def start_decoding(self) -> None:
        job = self.scheduler.next_decode()
        if job is not None:
            assert job.request not in self.over
            self.decoding.append(job)
        assert len(self.decoding) <= 2

    @rule(ok=st.booleans(), data=st.data())
    def end_decoding(self, ok: bool, data: st.DataObject) -> None:
        if self.decoding:
            job = self.decoding.pop(data.draw(st.integers(0, len(self.decoding) - 1)))
            if ok:
                self.scheduler.decoded(job, 0.002, self.now)
            else:
                self.scheduler.undecodable(job)

    @rule()
    def start_batch(self) -> None:
        self.over.update(self.scheduler.expire(self.now))
        batch = self.scheduler.next_batch(self.now)
        if batch is None:
            return
        assert self.running is None
        assert not (self.shared_cores and self.cpu_tasks)
        assert 1 <= len(batch.jobs) <= 4
        assert batch.cost <= self.scheduler.max_cost or len(batch.jobs) == 1
        for job in batch.jobs:
            assert job.lane == batch.lane
            assert job.request not in self.over
            assert job.deadline > self.now
            self.ran[id(job)] += 1
            assert self.ran[id(job)] == 1
        self.running = batch

    @rule(seconds=st.floats(0.001, 0.5), fits=st.booleans())
    def end_batch(self, seconds: float, fits: bool) -> None:
        if self.running is not None:
            if not fits and len(self.running.jobs) > 1:
                self.scheduler.shrink(self.running.cost)
            self.now += seconds
            self.scheduler.finished(self.running, seconds, learn=fits)
            self.running = None

    @rule(lane=st.sampled_from(["score", "explain"]))
    def add_cpu_task(self, lane: str) -> None:
        self.scheduler.add_cpu_task(lane, cpu_task)
        self.queued_cpu_tasks += 1

    @rule()
    def start_cpu_task(self) -> None:
        if (one := self.scheduler.next_cpu_task()) is not None:
            assert not (self.shared_cores and self.running)
            self.cpu_tasks.append(one[0])
            self.queued_cpu_tasks -= 1
        assert len(self.cpu_tasks) + (len(self.decoding) if self.shared_cores else 0) <= 2

    @rule(seconds=st.floats(0.001, 0.5))
    def end_cpu_task(self, seconds: float) -> None:
        if self.cpu_tasks:
            self.now += seconds
            self.scheduler.cpu_task_done(self.cpu_tasks.pop(), seconds, self.now)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.admitted:
            request = data.draw(st.sampled_from(sorted(self.admitted)))
            self.scheduler.cancel(request)
            self.over.add(request)

    @rule(seconds=st.floats(0.0, 1.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def depth_counts_what_is_left(self) -> None:
        left = sum(job.stage is not Stage.DONE for jobs in self.admitted.values() for job in jobs)
        assert self.scheduler.depth() == left

    @invariant()
    def wakes_up_in_time(self) -> None:
        alive = [job for jobs in self.admitted.values() for job in jobs if job.stage is not Stage.DONE]
        at = self.scheduler.wake_at()
        assert not alive or (at is not None and at <= min(job.deadline for job in alive))

    def teardown(self) -> None:
        """Left alone, the scheduler works everything off: nothing is stuck."""
        for job in self.decoding:
            self.scheduler.decoded(job, 0.001, self.now)
        for one in self.cpu_tasks:
            self.scheduler.cpu_task_done(one, 0.001, self.now)
        for _ in range(10_000):
            if self.running is not None:
                self.scheduler.finished(self.running, 0.01)
            self.now += 0.05
            self.scheduler.expire(self.now)
            decode_all(self.scheduler, self.now)
            while (done := self.scheduler.next_cpu_task()) is not None:
                self.queued_cpu_tasks -= 1
                self.scheduler.cpu_task_done(done[0], 0.001, self.now)
            self.running = self.scheduler.next_batch(self.now)
            if not self.scheduler.depth() and not self.queued_cpu_tasks:
                break
        assert self.scheduler.depth() == 0
        assert self.queued_cpu_tasks == 0


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = hypothesis_settings(max_examples=200, stateful_step_count=60, deadline=None)


class SharedCoresMachine(SchedulerMachine):
    shared_cores = True


TestSharedCores = SharedCoresMachine.TestCase
TestSharedCores.settings = TestScheduler.settings
