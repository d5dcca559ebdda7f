"""Child: a process of the server, which is started again whenever it ends, until it is stopped."""

import asyncio
import json
import logging
import math
import os
import time
from asyncio import StreamReader
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from server.ipc.parent_pipe import ALIVE, BEAT_S, DRAIN, FAILED, READY
from server.ipc.process_config import ProcessConfig

logger = logging.getLogger(__name__)

CANNOT_SERVE = 3
_BACK_OFF_S = (0.2, 10.0)
_MAX_DOUBLINGS = 10
_STABLE_AFTER_S = 30.0  # a process that lived longer starts again after the shortest pause
_MAX_STARTS = 3  # of a process that was never ready
_NOT_STARTED = 71  # in place of an exit code
_MAX_LINE_BYTES = 2**20
_LAST_LINES_S = 1.0


class ChildError(Exception):
    """A child cannot do its work. The text says why."""


@dataclass(slots=True, eq=False)
class Child:
    """One process. `config` is called before each start, and makes the configuration of the process.

    `on_line` is called with each line that it writes besides `ready`, `failed` and `alive`, and `ended` with the id of
    each process that ended. A process that has written `alive`, and then not again for `silence_s`,
    is killed. So is one that is not ready within `ready_within_s`, and it is given up if none was ready before.
    """

    role: str
    command: Sequence[str]
    config: Callable[[], ProcessConfig]
    environment: Mapping[str, str] = field(default_factory=dict)
    on_line: Callable[["Child", str], None] = lambda child, line: None
    ended: Callable[["Child", int], None] = lambda child, pid: None
    ready_within_s: float = math.inf
    process: Process | None = None
    silence_s: float = math.inf
    reason: str = ""
    _silent_s: float | None = None
    _crashes: int = 0
    _too_late: bool = False
    _stopping: bool = False
    _keep_alive_task: "asyncio.Task[None] | None" = None
    _ready: "asyncio.Future[None] | None" = None

    def start(self) -> None:
        """Start the process, and start it again whenever it ends."""
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        self._keep_alive_task = loop.create_task(self._keep_alive())

    async def ready(self) -> None:
        """Wait until the process is ready for the first time. Raises ChildError where it never will be."""
        assert self._ready is not None
        await asyncio.shield(self._ready)

    @property
    def was_ready(self) -> bool:
        """Whether the process has been ready at any time."""
        return self._ready is not None and self._ready.done() and self._ready.exception() is None

    @property
    def stopping(self) -> bool:
        """Whether the process ends, or has ended, because of `request_stop`."""
        return self._stopping

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self.process is not None and self.process.returncode is None

    def send(self, line: str) -> None:
        """Write a line to the process, if it is running."""
        if self.process is not None and self.process.returncode is None:
            assert self.process.stdin is not None
            self.process.stdin.write(line.encode() + b"\n")

    def request_stop(self) -> None:
        """Make the process end: an HTTP process after its last reply, all others at once."""
        self._stopping = True
        if self.process is not None and self.process.returncode is None:
            assert self.process.stdin is not None
            if self.role == "http":
                self.process.stdin.write(DRAIN)
            else:
                self.process.stdin.close()

    async def wait_stopped(self, timeout_s: float) -> None:
        """Wait until the process has ended. It is killed after `timeout_s`."""
        process = self.process
        if process is not None and process.returncode is None:
            try:
                async with asyncio.timeout(timeout_s):
                    await process.wait()
            except TimeoutError:
                logger.error("process did not end in time, killing it role=%r", self.role)
                process.kill()
            if self._keep_alive_task is not None:  # which reads the last lines, and tells that the process has ended
                await asyncio.wait([self._keep_alive_task], timeout=_LAST_LINES_S)
        if self._keep_alive_task is not None:
            self._keep_alive_task.cancel()
            await asyncio.gather(self._keep_alive_task, return_exceptions=True)
        self._fail("it was stopped")

    async def _keep_alive(self) -> None:
        while not self._stopping:
            started = time.monotonic()
            try:
                code = await self._run_once()
                if self.process is not None:
                    self.ended(self, self.process.pid)
            except Exception:  # of any kind: nobody else would end the process, or start another one
                logger.exception("watching a process failed, ending it role=%r", self.role)
                code = await self._kill()
            if self._stopping:
                return
            if time.monotonic() - started > _STABLE_AFTER_S:
                self._crashes = 0
            self._crashes += 1
            if not self.was_ready and (code == CANNOT_SERVE or self._too_late or self._crashes >= _MAX_STARTS):
                self._fail(self.reason or f"its process ended with exit code {code}")
                return
            pause = restart_pause_s(self._crashes)
            logger.error("process ended role=%r code=%s restart_in_s=%.1f", self.role, code, pause)
            await asyncio.sleep(pause)

    def _fail(self, reason: str) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(ChildError(reason))
            self._ready.exception()  # retrieved here, since `ready` may have no caller

    async def _kill(self) -> int:
        if self.process is None:
            return _NOT_STARTED
        if self.process.returncode is None:
            self.process.kill()
        return await self.process.wait()

    async def _run_once(self) -> int:
        self.process = None
        try:
            self.process = process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=PIPE,
                stdout=PIPE,
                limit=_MAX_LINE_BYTES,
                pass_fds=self.config().inherited,
                env=child_environment(self.environment),
                # a terminal sends Ctrl-C to the whole group, but only the supervisor may act on it
                start_new_session=True,
            )
        except OSError as error:  # such as too little memory, or too many processes or open files
            self.reason = f"its process cannot be started: {error}"
            logger.error("process cannot be started role=%r: %s", self.role, error)
            return _NOT_STARTED
        assert process.stdin is not None and process.stdout is not None
        # made now: what `send` wrote while the process was being started is lost
        process.stdin.write(self.config().model_dump_json().encode() + b"\n")
        self._silent_s = None
        unready, watch = self._kill_unless_ready(process), asyncio.create_task(self._kill_when_silent(process))
        try:
            async for line in _lines(process.stdout):
                self._read_line(line, unready)
            return await process.wait()
        finally:
            unready.cancel()
            watch.cancel()

    async def _kill_when_silent(self, process: Process) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if self._silent_s is None:
                continue
            # by the beat and not by the clock: while this process was stopped too, it could not read
            self._silent_s += BEAT_S
            if self._silent_s > self.silence_s:
                logger.error("process hangs, killing it role=%r silent_s=%.0f", self.role, self._silent_s)
                process.kill()
                return

    def _kill_unless_ready(self, process: Process) -> asyncio.TimerHandle:
        def end() -> None:
            self._too_late = True
            self.reason = f"it was not ready within {self.ready_within_s:g} s"
            logger.error("process is not ready in time, killing it role=%r seconds=%g", self.role, self.ready_within_s)
            if process.returncode is None:
                process.kill()

        return asyncio.get_running_loop().call_later(self.ready_within_s, end)

    def _read_line(self, line: str, unready: asyncio.TimerHandle) -> None:
        word, _, rest = line.partition(" ")
        if word == READY:
            unready.cancel()
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
        elif word == ALIVE:
            self._silent_s = 0.0
        elif word == FAILED:
            self.reason = str(json.loads(rest))
        else:
            self.on_line(self, line)


async def _lines(output: StreamReader) -> AsyncIterator[str]:
    while True:
        try:
            line = await output.readline()
        except ValueError:  # longer than the buffer: printed by a library, not by our code
            continue
        if not line:
            return
        yield line.decode(errors="replace").rstrip("\n")


def restart_pause_s(crashes: int) -> float:
    """Return the seconds before a process starts again: 0.2 after its first crash, then doubled, up to 10."""
    shortest, longest = _BACK_OFF_S
    return min(shortest * 2.0 ** min(crashes - 1, _MAX_DOUBLINGS), longest)


def child_environment(defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process, with `defaults` for the variables that it does not set."""
    return {**os.environ, **{key: value for key, value in defaults.items() if key not in os.environ}}
