"""WorkerPool: the processes of one script, kept alive, and the requests that they share."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from server.ipc.frame import Frame, FrameKind
from server.metrics import ScriptMetrics
from server.scripts.location import ScriptLocation
from server.scripts.request_queue import QueuedRequest, RequestQueue, left_s
from server.scripts.worker import Worker, WorkerError
from settings.server import ServerSettings

logger = logging.getLogger("server.scripts")

_BACK_OFF_S = (0.2, 10.0)


class WorkerPool:
    """Runs jobs on `settings.workers` processes; `announce` is told whether requests can be answered, and why not.

    To be used on one event loop.
    """

    def __init__(
        self,
        place: ScriptLocation,
        settings: ServerSettings,
        metrics: ScriptMetrics,
        announce: Callable[[dict[str, Any]], None],
    ) -> None:
        self._place = place
        self._settings = settings
        self._metrics = metrics
        self._announce = announce
        self._queue_limit_s = settings.queue_limit_ms / 1000
        # longer than a request may take nobody waits for a reply
        self._limit_ms = min(settings.scoring_timeout_ms, settings.request_timeout_ms)
        self._waiting = RequestQueue(settings.workers)
        self._idle: list[Worker] = []
        self._able: set[Worker] = set()  # those that have run init()
        self._start_s = 0.0
        self._none_since = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._processes: set[Worker] = set()

    async def muster(self) -> dict[str, Any]:
        """Start all processes and return what they say of the script; WorkerError where one of them cannot."""
        started = time.monotonic()
        workers = [self._worker() for _ in range(self._settings.workers)]
        found = await asyncio.gather(*(worker.start() for worker in workers))
        self._start_s = time.monotonic() - started
        for worker in workers:
            self._enter(worker)
            self._do(self._keep(worker))
        return found[0]

    def submit(self, job: QueuedRequest) -> float | None:
        """Take a job in, or return in how many seconds there is room for it."""
        now = time.monotonic()
        if not self._idle:
            too_long_s = self._waiting.wait_s(now, self._restart_s(now)) - self._queue_limit_s
            if too_long_s > 0:
                return too_long_s
        self._waiting.push(job)
        self._assign()
        return None

    def cancel(self, job: QueuedRequest) -> None:
        """Spare a job that nobody waits for any more; one that runs goes on, as it cannot be stopped halfway."""
        self._waiting.remove(job)
        if not job.started and time.monotonic() >= job.deadline:
            self._metrics.dropped("deadline").inc()
        elif not job.started:
            self._metrics.cancelled.inc()
        self._show()

    def kill(self) -> None:
        """End all processes at once; callable from any thread."""
        for worker in list(self._processes):
            worker.kill()

    def _worker(self) -> Worker:
        worker = Worker(self._place)
        self._processes.add(worker)
        return worker

    def _do(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # event loops keep no reference of their own
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, worker: Worker) -> None:
        while True:
            how = await worker.end()
            logger.warning("a process of the script %s and is replaced", how, extra={"facts": {"worker": worker.pid}})
            self._leave(worker)
            worker = await self._replacement()
            self._enter(worker)

    async def _replacement(self) -> Worker:
        pause_s = _BACK_OFF_S[0]
        while True:
            worker, started = self._worker(), time.monotonic()
            try:
                await worker.start()
            except WorkerError as error:
                self._processes.discard(worker)
                worker.kill()
                logger.error("the script does not start again: %s; another try in %.1f s", error, pause_s)
                self._send_away()
            else:
                self._start_s = time.monotonic() - started
                return worker
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _BACK_OFF_S[1])

    def _send_away(self) -> None:
        """Refuse those that waited for a process that did not start, where there is no other."""
        if self._able:
            return
        for job in self._waiting.clear():
            job.started = time.monotonic()
            self._answer(job, _refusal("engine_unavailable", "The script did not start again; the log says why."))
        self._show()

    def _enter(self, worker: Worker) -> None:
        self._able.add(worker)
        self._idle.append(worker)
        self._tell()
        self._assign()

    def _leave(self, worker: Worker) -> None:
        self._processes.discard(worker)
        self._able.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self._metrics.worker_restarts.inc()
        self._none_since = time.monotonic()
        self._tell()
        # as time goes on, what is said of the new process changes
        for seconds in (self._queue_limit_s, self._start_s):
            asyncio.get_running_loop().call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._metrics.workers.set(len(self._able))
        # a new process that is soon there is worth waiting for
        ready = bool(self._able) or self._restart_s(time.monotonic()) < self._queue_limit_s
        self._announce({"ready": ready, "reason": "ready" if ready else "the script is being started again"})

    def _restart_s(self, now: float) -> float:
        return left_s(self._start_s, now - self._none_since)

    def _assign(self) -> None:
        while self._idle and (job := self._waiting.pop(time.monotonic())) is not None:
            job.started = time.monotonic()
            self._waiting.running.add(job)
            self._do(self._run(self._idle.pop(), job))
        self._show()

    async def _run(self, worker: Worker, job: QueuedRequest) -> None:
        try:
            async with asyncio.timeout(self._limit_ms / 1000):
                reply = await worker.run(job.request)
        except TimeoutError:
            logger.error("the script worked too long on a request and is killed", extra=_of(job, ms=self._limit_ms))
            worker.kill()
            reply = _refusal("script_timeout", f"Scoring timeout after {self._limit_ms} ms")
        except WorkerError as error:
            logger.error("a process of the script %s while it worked on a request", error, extra=_of(job))
            reply = _refusal("script_ended", f"The script's process {error} while it worked on this request.")
        else:
            if worker in self._able:
                self._idle.append(worker)
        finally:
            self._waiting.running.discard(job)
            self._waiting.learn(time.monotonic() - job.started)
        self._assign()
        self._answer(job, reply)

    def _answer(self, job: QueuedRequest, reply: Frame) -> None:
        fields = dict(reply.fields)
        if (story := fields.pop("story", None)) is not None:
            logger.error("the script failed on a request\n%s", str(story).rstrip(), extra=_of(job))
        stages = {"queue": job.started - job.arrived, "run": time.monotonic() - job.started}
        for stage, seconds in stages.items():
            self._metrics.stage_seconds(stage).observe(seconds)
        job.answer(Frame(reply.kind, job.request.number, {**fields, "stages": stages}, reply.blobs))

    def _show(self) -> None:
        waiting, now = self._waiting, time.monotonic()
        self._metrics.queue_jobs.set(len(waiting) + len(waiting.running))
        self._metrics.queue_ms.set(0 if self._idle else 1000 * waiting.wait_s(now, self._restart_s(now)))


def _refusal(code: str, message: str) -> Frame:
    return Frame(FrameKind.REFUSED, fields={"code": code, "message": message})


def _of(job: QueuedRequest, **facts: object) -> dict[str, Any]:
    return {"facts": {**facts, "request_id": job.request.fields["request_id"]}}
