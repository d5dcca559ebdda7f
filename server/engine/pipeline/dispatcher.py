"""Dispatcher: takes work from the scheduler, under one lock, and starts it on a CPU thread or the device thread.

Each step calls `pump` when it ends. Nothing here waits or polls.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from server.engine.pipeline.pipeline_metrics import PipelineMetrics
from server.engine.scheduling.job import AnyJob, Batch
from server.engine.scheduling.lanes import RunCpuTask
from server.engine.scheduling.scheduler import Scheduler

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps that the dispatcher starts: `decode` on a CPU thread, `run` on the device thread, `expire` directly."""

    decode: Callable[[AnyJob], None]
    run: Callable[[Batch], None]
    expire: Callable[[int], None]


class Dispatcher:
    """Owns the lock, the scheduler and the CPU threads. The methods of `scheduler` may be called only under `lock`.

    `wake` is called with the time at which `tick` must be called next. `broken` is called when a step raises an
    unexpected exception: the process must be replaced then.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        device_thread: ThreadPoolExecutor,
        cpu_threads: int,
        *,
        metrics: PipelineMetrics,
        wake: Callable[[float], None],
        broken: Callable[[], None],
    ) -> None:
        self.lock = threading.Lock()
        self.scheduler = scheduler
        self.steps: Steps | None = None
        self._device_thread = device_thread
        # for decoding, for CPU tasks, and one thread more, so that finished work never waits for a slow image
        self._cpu = ThreadPoolExecutor(2 * cpu_threads + 1, thread_name_prefix="cpu")
        self._isolated = ThreadPoolExecutor(1, thread_name_prefix="isolated")
        self._metrics = metrics
        self._wake = wake
        self._broken = broken

    def tick(self) -> None:
        """Do what is due by now: expire requests, start a batch that was held back."""
        with self.lock:
            self.pump()

    def pump(self) -> None:
        """Start all work that may start now. The caller holds the lock."""
        assert self.steps is not None
        now = time.monotonic()
        for number in self.scheduler.expire(now):
            self.steps.expire(number)
        while (job := self.scheduler.next_decode()) is not None:
            self._start(self._cpu, self.steps.decode, job)
        while (task := self.scheduler.next_cpu_task()) is not None:
            self._start(self._cpu, self._run_cpu_task, *task)
        while (batch := self.scheduler.next_batch(now)) is not None:
            self._start(self._device_thread, self.steps.run, batch)
        self._metrics.queue(self.scheduler, now)
        wake_at = self.scheduler.wake_at()
        if wake_at is not None:
            self._wake(wake_at)

    def on_cpu(self, step: Callable[[], None]) -> None:
        """Start a step on a CPU thread at once, without the scheduler."""
        self._start(self._cpu, step)

    def on_device(self, step: Callable[[], None]) -> None:
        """Start a step on the device thread after those that it has, without the scheduler."""
        self._start(self._device_thread, step)

    def in_isolation(self, step: Callable[[], None]) -> None:
        """Start a step that waits for another process to decode. One runs at a time, in the order of these calls."""
        self._start(self._isolated, step)

    def _run_cpu_task(self, lane: str, task: RunCpuTask) -> None:
        started = time.monotonic()
        task()
        now = time.monotonic()
        with self.lock:
            self.scheduler.cpu_task_done(lane, now - started, now)
            self.pump()

    def _start(self, pool: ThreadPoolExecutor, step: Callable[..., None], *arguments: object) -> None:
        pool.submit(step, *arguments).add_done_callback(self._check)

    def _check(self, step: Future[None]) -> None:
        # a thread pool does not report exceptions: after a bug, requests would wait for ever
        if (error := step.exception()) is not None:
            logger.critical("a step of the pipeline ended unexpectedly", exc_info=error)
            self._broken()
