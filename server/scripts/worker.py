"""Worker: one process of a script, from its start to its end, for the pool. It runs one request at a time."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from asyncio import Future
from asyncio.subprocess import Process
from typing import Any

from server.ipc.connection import Connection
from server.ipc.frame import Frame, FrameKind
from server.process_tree import descendants
from server.scripts.location import ScriptLocation

logger = logging.getLogger("server.scripts")
output = logging.getLogger("server.scripts.output")

_CHUNK_BYTES = 2**16
_LAST_OUTPUT_S = 1.0


class WorkerError(Exception):
    """The process did not start or has ended. The text says how, as the end of a sentence."""


class Worker:
    """A process that runs the script in `location`. Call `start` first, then `run` until the process has ended.

    It has `start_timeout_ms` to import the script and to run init().
    """

    def __init__(self, location: ScriptLocation, start_timeout_ms: int) -> None:
        self._location = location
        self._start_timeout_s = start_timeout_ms / 1000
        self._loop = asyncio.get_running_loop()
        self._process: Process | None = None
        self._connection = Connection(self._received, self.kill)
        self._state: Future[Frame] = self._loop.create_future()
        self._reply: Future[Frame] | None = None
        self._parent_pipe = -1
        self._lifetime: asyncio.Task[str] | None = None

    @property
    def pid(self) -> int:
        """The process id, 0 before there is a process."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> dict[str, Any]:
        """Start the process, wait for init(), and return facts of the script. Raises WorkerError where it fails."""
        ours, theirs = socket.socketpair()
        child_stdin, self._parent_pipe = os.pipe()
        output_end, child_output = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._location.command(theirs.fileno()),
                stdin=child_stdin,
                stdout=child_output,
                stderr=child_output,
                cwd=self._location.folder,
                env=self._location.environment,
                pass_fds=[theirs.fileno()],
                # a process group of its own, which is killed together with all processes that the script starts
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            os.close(self._parent_pipe)
            os.close(output_end)
            raise WorkerError(f"cannot be started: {error}") from None
        finally:
            theirs.close()
            os.close(child_stdin)
            os.close(child_output)
        self._lifetime = self._loop.create_task(self._run_to_end(self._process, output_end))
        await self._loop.create_unix_connection(lambda: self._connection, sock=ours)
        try:
            async with asyncio.timeout(self._start_timeout_s):
                state = await self._state
        except TimeoutError:
            self.kill()
            raise WorkerError(
                f"its init() did not end within {self._start_timeout_s:g} s. Mend it, or raise --start-timeout-ms"
            ) from None
        if not state.fields["ready"]:
            logger.error("the script cannot be started\n%s", str(state.fields["traceback"]).rstrip())
            raise WorkerError(str(state.fields["reason"]))
        return state.fields

    async def run(self, frame: Frame) -> Frame:
        """Run the script on a request. Raises WorkerError if the process ends before it replies."""
        self._reply = self._loop.create_future()
        self._connection.send(frame)
        return await self._reply

    async def end(self) -> str:
        """Wait until the process has ended, and return how it ended, as the end of a sentence."""
        assert self._lifetime is not None
        return await asyncio.shield(self._lifetime)

    def kill(self) -> None:
        """Kill the process and all processes that it has started."""
        if not self.pid:
            return
        # some may have left the group for one of their own
        below = descendants(self.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _received(self, frame: Frame) -> None:
        waiting = self._state if frame.kind is FrameKind.STATE else self._reply
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    async def _run_to_end(self, process: Process, output_end: int) -> str:
        relay = self._loop.create_task(_relay(output_end, process.pid))
        code = await process.wait()
        self.kill()  # the processes that it has started
        os.close(self._parent_pipe)
        await asyncio.wait([relay], timeout=_LAST_OUTPUT_S)
        relay.cancel()
        how = _described(code)
        for waiting in (self._state, self._reply):
            if waiting is not None and not waiting.done():
                waiting.set_exception(WorkerError(how))
        return how


async def _relay(output_end: int, pid: int) -> None:
    """Log the output of a process, line by line."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output_end, "rb")
    )
    rest = b""
    try:
        while data := await reader.read(_CHUNK_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _CHUNK_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                output.info("%s", line.decode(errors="replace"), extra={"facts": {"worker": pid}})
    finally:
        if rest:
            output.info("%s", rest.decode(errors="replace"), extra={"facts": {"worker": pid}})
        transport.close()


def _described(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
