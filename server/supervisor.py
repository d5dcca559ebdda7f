"""Supervisor: one engine process per device and the HTTP processes, kept alive together and ended together."""

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from server.engine.cores import usable_cores
from server.lifeline import DRAIN, Launch
from settings.server import ServerSettings

if TYPE_CHECKING:
    from server.metrics import Metrics

logger = logging.getLogger(__name__)

CANNOT_SERVE = 3
HTTP_COMMAND = (sys.executable, "-m", "server.frontend")
ENGINE_COMMAND = (sys.executable, "-m", "server.engine")

# glibc returns large blocks to the kernel after each batch and pages them in again for the next one. Keeping them
# makes the forward pass up to three times as fast; see docs/decisions.
ENGINE_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}

_GPU = Path("/dev/nvidia0")  # what PyTorch would say, without importing it
_BACK_OFF_S = (0.2, 10.0)
_LIVED_WELL_S = 30.0
_TRIES_BEFORE_READY = 3


def http_processes(settings: ServerSettings) -> int:
    """Return how many HTTP processes the settings ask for.

    One keeps up with a thousand requests of a picture a second. On a CPU, models take every core they get for longer.
    """
    if settings.http_processes != "auto":
        return settings.http_processes
    on_gpu = any(device.startswith("cuda") or (device == "auto" and _GPU.exists()) for device in settings.device)
    return max(1, usable_cores() // 4) if on_gpu else 1


@dataclass(slots=True, eq=False)
class Child:
    """A process that is started again whenever it ends."""

    role: str
    command: Sequence[str]
    launch: Launch
    environment: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None
    was_ready: bool = False
    crashes: int = 0


class Supervisor:
    """Runs until SIGTERM or SIGINT, or until the model turns out not to be servable."""

    def __init__(self, settings: ServerSettings, folder: Path, engine_command: Sequence[str] = ENGINE_COMMAND) -> None:
        self._settings = settings
        self._folder = folder
        self._engine_command = engine_command
        self._children: list[Child] = []
        self._stopping = False
        self._done: asyncio.Future[int] | None = None

    def run(self, listening: socket.socket) -> int:
        """Serve on a listening socket; returns the exit code: 0 after a signal, 3 where the model cannot be served."""
        with tempfile.TemporaryDirectory(prefix="sightglass-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            return asyncio.run(self._run(listening, Path(folder)))

    async def _run(self, listening: socket.socket, folder: Path) -> int:
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish, 0)
        self._children = self._plan(listening, folder)
        from server.metrics import Metrics  # decides on import where values live: in files, now that there is a folder

        metrics = Metrics()
        keepers = [asyncio.create_task(self._keep(child, metrics)) for child in self._children]
        code = await self._done
        self._stopping = True
        # from here on only the HTTP processes accept; when they close the port, it is closed
        listening.close()
        await self._end()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        return code

    def _plan(self, listening: socket.socket, folder: Path) -> list[Child]:
        devices = self._settings.device
        sockets = [folder / f"engine-{number}.sock" for number in range(len(devices))]
        common = {"settings": self._settings, "folder": self._folder}
        engines = [
            Child("engine", self._engine_command, Launch(**common, device=device, sockets=[path]), ENGINE_ENVIRONMENT)
            for device, path in zip(devices, sockets, strict=True)
        ]
        launch = Launch(**common, sockets=sockets, listening=listening.fileno())
        return engines + [Child("http", HTTP_COMMAND, launch) for _ in range(http_processes(self._settings))]

    async def _keep(self, child: Child, metrics: "Metrics") -> None:
        while not self._stopping:
            started = time.monotonic()
            code = await self._live(child)
            if self._stopping:
                return
            if child.role == "engine" and child.process is not None:
                metrics.forget_process(child.process.pid)
            if time.monotonic() - started > _LIVED_WELL_S:
                child.crashes = 0
            child.crashes += 1
            if not child.was_ready and (code == CANNOT_SERVE or child.crashes >= _TRIES_BEFORE_READY):
                self._finish(CANNOT_SERVE)
                return
            pause = min(_BACK_OFF_S[0] * 2 ** (child.crashes - 1), _BACK_OFF_S[1])
            logger.error("%s process ended code=%s restart_in_s=%.1f", child.role, code, pause)
            await asyncio.sleep(pause)
            if child.role == "engine":
                metrics.engine_restarts.inc()

    async def _live(self, child: Child) -> int:
        child.process = process = await asyncio.create_subprocess_exec(
            *child.command,
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=[child.launch.listening] if child.launch.listening >= 0 else [],
            env={**os.environ, **{key: value for key, value in child.environment.items() if key not in os.environ}},
            # a terminal's Ctrl-C goes to the whole group; only the supervisor shall decide what follows
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(child.launch.model_dump_json().encode() + b"\n")
        while line := await process.stdout.readline():
            child.was_ready = child.was_ready or line == b"ready\n"
        return await process.wait()

    def _finish(self, code: int) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(code)

    async def _end(self) -> None:
        """Drain the HTTP processes, then let go of the engines, which by then have nothing left to do."""
        patience = (self._settings.drain_delay_ms + self._settings.grace_period_ms) / 1000 + 2
        await self._let_go([child for child in self._children if child.role == "http"], DRAIN, patience)
        await self._let_go([child for child in self._children if child.role == "engine"], b"", 5)

    async def _let_go(self, children: Sequence[Child], word: bytes, patience: float) -> None:
        processes = [child.process for child in children if child.process and child.process.returncode is None]
        for process in processes:
            assert process.stdin is not None
            if word:
                process.stdin.write(word)
            else:
                process.stdin.close()
        if not processes:
            return
        _, late = await asyncio.wait([asyncio.create_task(process.wait()) for process in processes], timeout=patience)
        if late:
            logger.error("%d processes did not end in time and are killed", len(late))
            for process in processes:
                if process.returncode is None:
                    process.kill()
