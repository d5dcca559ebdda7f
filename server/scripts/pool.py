"""WorkerPool: keeps the worker processes of one script alive, and distributes requests to them."""

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
from server.supervisor.child import restart_pause_s
from settings.server import ServerSettings

logger = logging.getLogger("server.scripts")


class WorkerPool:
    """Runs requests on `settings.workers` processes. `announce` is called with the state: `ready`, and the `reason`.

    All methods but `kill` run on one event loop.
    """

    def __init__(
        self,
        location: ScriptLocation,
        settings: ServerSettings,
        metrics: ScriptMetrics,
        announce: Callable[[dict[str, Any]], None],
    ) -> None:
        self._location = location
        self._settings = settings
        self._metrics = metrics
        self._announce = announce
        self._queue_limit_s = settings.queue_limit_ms / 1000
        # a reply after the timeout of the request would reach no client
        self._timeout_ms = min(settings.scoring_timeout_ms, settings.request_timeout_ms)
        self._queue = RequestQueue(settings.workers)
        self._idle: list[Worker] = []
        self._ready: set[Worker] = set()  # those that have run init()
        self._start_s = 0.0
        self._last_end = time.monotonic()  # of a worker
        self._tasks: set[asyncio.Task[None]] = set()
        self._processes: set[Worker] = set()

    async def start_all(self) -> dict[str, Any]:
        """Start all workers, and return the facts of the script. Raises WorkerError where one of them cannot start."""
        started = time.monotonic()
        workers = [self._worker() for _ in range(self._settings.workers)]
        facts, *_ = await asyncio.gather(*(worker.start() for worker in workers))
        self._start_s = time.monotonic() - started
        for worker in workers:
            self._add(worker)
            self._spawn(self._keep_alive(worker))
        return facts

    def submit(self, request: QueuedRequest) -> float | None:
        """Take in a request; or return the seconds after which there is room for it."""
        now = time.monotonic()
        if not self._idle:
            too_long_s = self._queue.wait_s(now, self._restart_s(now)) - self._queue_limit_s
            if too_long_s > 0:
                return too_long_s
        self._queue.push(request)
        self._assign()
        return None

    async def answered(self, frame: Frame) -> Frame:
        """Take in a request, and wait for its reply: a refusal with `retry_after` where there is no room for it."""
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        request = QueuedRequest(frame, time.monotonic(), float(frame.fields["deadline"]), reply.set_result)
        retry_after_s = self.submit(request)
        if retry_after_s is not None:
            return Frame(FrameKind.REFUSED, frame.number, {"retry_after": retry_after_s})
        try:
            return await asyncio.shield(reply)  # it is answered even once nobody waits for it any more
        except asyncio.CancelledError:
            self.cancel(request)
            raise

    def cancel(self, request: QueuedRequest) -> None:
        """Drop a request whose client has left. A request that runs goes on, since a script cannot be interrupted."""
        self._queue.remove(request)
        if not request.started and time.monotonic() >= request.deadline:
            self._metrics.dropped("deadline").inc()
        elif not request.started:
            self._metrics.cancelled.inc()
        self._show_queue()

    def kill(self) -> None:
        """End all workers at once; callable from any thread."""
        for worker in list(self._processes):
            worker.kill()

    def _worker(self) -> Worker:
        worker = Worker(self._location, self._settings.start_timeout_ms)
        self._processes.add(worker)
        return worker

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # event loops keep no reference of their own
        task.add_done_callback(self._tasks.discard)

    async def _keep_alive(self, worker: Worker) -> None:
        while True:
            how = await worker.end()
            logger.warning("a worker of the script %s, replacing it", how, extra={"facts": {"worker": worker.pid}})
            self._remove(worker)
            worker = await self._replacement()
            self._add(worker)

    async def _replacement(self) -> Worker:
        crashes = 0
        while True:
            worker, started = self._worker(), time.monotonic()
            try:
                await worker.start()
            except WorkerError as error:
                self._processes.discard(worker)
                worker.kill()
                crashes += 1
                pause_s = restart_pause_s(crashes)
                facts = {"restart_in_s": pause_s}
                logger.error("the script does not start again: %s", error, extra={"facts": facts})
                self._refuse_waiting()
            else:
                self._start_s = time.monotonic() - started
                return worker
            await asyncio.sleep(pause_s)

    def _refuse_waiting(self) -> None:
        """Refuse all queued requests after a worker did not start, unless another worker is ready."""
        if self._ready:
            return
        for request in self._queue.clear():
            request.started = time.monotonic()
            self._answer(request, _refusal("engine_unavailable", "The script did not start again; the log says why."))
        self._show_queue()

    def _add(self, worker: Worker) -> None:
        self._ready.add(worker)
        self._idle.append(worker)
        self._show_state()
        self._assign()

    def _remove(self, worker: Worker) -> None:
        self._processes.discard(worker)
        self._ready.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self._metrics.worker_restarts.inc()
        self._last_end = time.monotonic()
        self._show_state()
        # the state may change once the new worker takes longer than usual
        for seconds in (self._queue_limit_s, self._start_s):
            asyncio.get_running_loop().call_later(seconds, self._show_state)

    def _show_state(self) -> None:
        self._metrics.workers.set(len(self._ready))
        # requests may wait for a worker that starts soon
        ready = bool(self._ready) or self._restart_s(time.monotonic()) < self._queue_limit_s
        self._announce({"ready": ready, "reason": "ready" if ready else "the script is being started again"})

    def _restart_s(self, now: float) -> float:
        return left_s(self._start_s, now - self._last_end)

    def _assign(self) -> None:
        while self._idle and (request := self._queue.pop(time.monotonic())) is not None:
            request.started = time.monotonic()
            self._queue.running.add(request)
            self._spawn(self._run(self._idle.pop(), request))
        self._show_queue()

    async def _run(self, worker: Worker, request: QueuedRequest) -> None:
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                reply = await worker.run(request.request)
        except TimeoutError:
            logger.error("a request timed out, killing its worker", extra=_facts(request, ms=self._timeout_ms))
            worker.kill()
            reply = _refusal("script_timeout", f"Scoring timeout after {self._timeout_ms} ms")
        except WorkerError as error:
            logger.error("a worker of the script %s during a request", error, extra=_facts(request))
            reply = _refusal("script_ended", f"The script's process {error} while it worked on this request.")
        else:
            if worker in self._ready:
                self._idle.append(worker)
        finally:
            self._queue.running.discard(request)
            self._queue.learn(time.monotonic() - request.started)
        self._assign()
        self._answer(request, reply)

    def _answer(self, request: QueuedRequest, reply: Frame) -> None:
        fields = dict(reply.fields)
        if (traceback := fields.pop("traceback", None)) is not None:
            logger.error("the script failed on a request\n%s", str(traceback).rstrip(), extra=_facts(request))
        stages = {"queue": request.started - request.arrived, "run": time.monotonic() - request.started}
        for stage, seconds in stages.items():
            self._metrics.stage_seconds(stage).observe(seconds)
        request.answer(Frame(reply.kind, request.request.number, {**fields, "stages": stages}, reply.blobs))

    def _show_queue(self) -> None:
        queue, now = self._queue, time.monotonic()
        self._metrics.queue_jobs.set(len(queue) + len(queue.running))
        self._metrics.queue_seconds.set(0 if self._idle else queue.wait_s(now, self._restart_s(now)))


def _refusal(code: str, message: str) -> Frame:
    return Frame(FrameKind.REFUSED, fields={"code": code, "message": message})


def _facts(request: QueuedRequest, **facts: object) -> dict[str, Any]:
    return {"facts": {**facts, "request_id": request.request.fields["request_id"]}}
