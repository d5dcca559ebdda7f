"""Child: a process of the server, started again whenever it ends, until it is told to stop for good."""

import asyncio
import json
import logging
import os
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from server.ipc.parent_pipe import DRAIN, FAILED, READY
from server.ipc.process_config import ProcessConfig

logger = logging.getLogger(__name__)

CANNOT_SERVE = 3
_BACK_OFF_S = (0.2, 10.0)
_LIVED_WELL_S = 30.0
_TRIES_BEFORE_READY = 3


class ChildError(Exception):
    """A child cannot do its work. The text says why."""


@dataclass(slots=True, eq=False)
class Child:
    """One process. `config` makes what it is started with, anew each time.

    `on_line` is told each line that it writes besides `ready` and `failed`; `ended` is called with the process id of
    one that ended by itself.
    """

    role: str
    command: Sequence[str]
    config: Callable[[], ProcessConfig]
    environment: Mapping[str, str] = field(default_factory=dict)
    on_line: Callable[["Child", str], None] = lambda child, line: None
    ended: Callable[["Child", int], None] = lambda child, pid: None
    process: Process | None = None
    reason: str = ""
    _crashes: int = 0
    _stopping: bool = False
    _keeper: "asyncio.Task[None] | None" = None
    _ready: "asyncio.Future[None] | None" = None

    def start(self) -> None:
        """Start it, and keep it alive."""
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        self._keeper = loop.create_task(self._keep_alive())

    async def ready(self) -> None:
        """Wait until it was ready for the first time; ChildError where it will not be."""
        assert self._ready is not None
        await asyncio.shield(self._ready)

    @property
    def was_ready(self) -> bool:
        """Whether it was ready at any time."""
        return self._ready is not None and self._ready.done() and self._ready.exception() is None

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.returncode is None

    def send(self, line: str) -> None:
        """Write a line to it, if it is there to read."""
        if self.process is not None and self.process.returncode is None:
            assert self.process.stdin is not None
            self.process.stdin.write(line.encode() + b"\n")

    def request_stop(self) -> None:
        """Ask it to end: an HTTP process after its last reply, all others at once."""
        self._stopping = True
        if self.process is not None and self.process.returncode is None:
            assert self.process.stdin is not None
            if self.role == "http":
                self.process.stdin.write(DRAIN)
            else:
                self.process.stdin.close()

    async def wait_stopped(self, patience_s: float) -> None:
        """Wait until it has ended, and no longer than this: then it is killed."""
        process = self.process
        if process is not None and process.returncode is None:
            try:
                async with asyncio.timeout(patience_s):
                    await process.wait()
            except TimeoutError:
                logger.error("%s process did not end in time and is killed", self.role)
                process.kill()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._ready is not None and not self._ready.done():
            self._ready.cancel()

    async def _keep_alive(self) -> None:
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            if self.process is not None:
                self.ended(self, self.process.pid)
            if time.monotonic() - started > _LIVED_WELL_S:
                self._crashes = 0
            self._crashes += 1
            if not self.was_ready and (code == CANNOT_SERVE or self._crashes >= _TRIES_BEFORE_READY):
                self._give_up(code)
                return
            pause = min(_BACK_OFF_S[0] * 2 ** (self._crashes - 1), _BACK_OFF_S[1])
            logger.error("%s process ended code=%s restart_in_s=%.1f", self.role, code, pause)
            await asyncio.sleep(pause)

    def _give_up(self, code: int) -> None:
        assert self._ready is not None
        if not self._ready.done():
            self._ready.set_exception(ChildError(self.reason or f"its process ended with exit code {code}"))
            self._ready.exception()  # nobody may be waiting

    async def _run_once(self) -> int:
        config = self.config()
        self.process = process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=config.inherited,
            env=child_environment(self.environment),
            # a terminal's Ctrl-C goes to the whole group; the supervisor alone decides what follows
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(config.model_dump_json().encode() + b"\n")
        while line := await process.stdout.readline():
            self._read_line(line.decode(errors="replace").rstrip("\n"))
        return await process.wait()

    def _read_line(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == READY:
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
        elif word == FAILED:
            self.reason = str(json.loads(rest))
        else:
            self.on_line(self, line)


def child_environment(defaults: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `defaults` for what it does not set."""
    return {**os.environ, **{key: value for key, value in defaults.items() if key not in os.environ}}
