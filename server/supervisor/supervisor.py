"""Supervisor: the engines of all deployments and the HTTP processes, kept alive together and ended together."""

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.cores import usable_cores
from server.errors import ServiceError
from server.ipc.control import take_orders
from server.ipc.parent_pipe import ProcessConfig
from server.supervisor.child import CANNOT_SERVE, Child
from server.supervisor.launcher import ENGINE_COMMAND, Launcher, LaunchError
from server.supervisor.rollout import Rollout, saver
from settings.deployments import Plan
from settings.server import ServerSettings

if TYPE_CHECKING:
    from server.metrics import Metrics

logger = logging.getLogger(__name__)

HTTP_COMMAND = (sys.executable, "-m", "server.api")
_GPU = Path("/dev/nvidia0")  # what PyTorch would say, without importing it
_ENDS_WITHIN_S = 2.0  # after the grace period


def http_processes(settings: ServerSettings) -> int:
    """Return how many HTTP processes the settings ask for.

    One keeps up with a thousand requests of a picture a second. On a CPU, models take every core they get for longer.
    """
    if settings.http_processes != "auto":
        return settings.http_processes
    on_gpu = any(device.startswith("cuda") or (device == "auto" and _GPU.exists()) for device in settings.device)
    return max(1, usable_cores() // 4) if on_gpu else 1


class Supervisor:
    """Serves a plan until SIGTERM or SIGINT, or until it turns out that nothing in it can be served.

    `file` is where the plan came from, if from a file: changes are kept there.
    """

    def __init__(
        self,
        settings: ServerSettings,
        plan: Plan,
        file: Path | None = None,
        engine_command: Sequence[str] = ENGINE_COMMAND,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._file = file
        self._engine_command = engine_command
        self._metrics: Metrics | None = None
        self._stopping = False
        self._done: asyncio.Future[int] | None = None

    def run(self, listening: Sequence[socket.socket]) -> int:
        """Serve on listening sockets; returns the exit code: 0 after a signal, 3 where nothing can be served."""
        with tempfile.TemporaryDirectory(prefix="sightglass-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            return asyncio.run(self._run(listening, Path(folder)))

    async def _run(self, listening: Sequence[socket.socket], folder: Path) -> int:
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish, 0)
        from server.metrics import Metrics  # decides on import where values live: in files, now that there is a folder

        self._metrics = Metrics()
        fleet = Launcher(self._settings, folder, self._engine_command, self._engine_ended)
        roster = Rollout(fleet, self._plan, named=self._file is not None, save=saver(self._file))
        try:
            roster.muster()
        except LaunchError as error:
            print(f"error: {error}", file=sys.stderr)
            self._finish(CANNOT_SERVE)
        control = folder / "control.sock"
        orders = await take_orders(control, _Orders(roster).obey)
        roster.clients = self._http(roster, listening, control)
        for client in roster.clients:
            client.start()
        tasks = [asyncio.create_task(each) for each in (self._watch(roster), *map(self._need, roster.clients))]
        code = await self._done
        self._stopping = True
        # from here on only the HTTP processes accept; when they close the port, it is closed
        for port in listening:
            port.close()
        orders.close()
        await self._end(roster.clients, fleet)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return code

    def _http(self, roster: Rollout, listening: Sequence[socket.socket], control: Path) -> list[Child]:
        def config() -> ProcessConfig:
            numbers = tuple(port.fileno() for port in listening)
            return ProcessConfig(settings=self._settings, table=roster.table, listening=numbers, control=control)

        return [Child("http", HTTP_COMMAND, config, heard=roster.hear) for _ in range(http_processes(self._settings))]

    async def _watch(self, roster: Rollout) -> None:
        try:
            await roster.first_warm()
        except LaunchError:
            self._finish(CANNOT_SERVE)  # each engine has said why

    async def _need(self, client: Child) -> None:
        try:
            await client.ready()
        except Exception:
            logger.critical("an HTTP process does not start", exc_info=True)
            self._finish(CANNOT_SERVE)

    def _engine_ended(self, engine: Child, pid: int) -> None:
        assert self._metrics is not None
        if not self._stopping:
            self._metrics.forget_process(pid)
            self._metrics.engine_restarts.inc()

    def _finish(self, code: int) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(code)

    async def _end(self, clients: Sequence[Child], fleet: Launcher) -> None:
        """Drain the HTTP processes, then let go of the engines, which by then have nothing left to do."""
        patience_s = (self._settings.drain_delay_ms + self._settings.grace_period_ms) / 1000 + _ENDS_WITHIN_S
        for client in clients:
            client.let_go()
        await asyncio.gather(*(client.gone(patience_s) for client in clients))
        await asyncio.gather(*(fleet.dismiss(member) for member in fleet))


class _Orders:
    """What operators may have done by way of an HTTP process."""

    def __init__(self, roster: Rollout) -> None:
        self._roster = roster

    async def obey(self, verb: str, content: Mapping[str, Any]) -> Any:
        match verb:
            case "list":
                return self._roster.describe()
            case "put":
                return await self._roster.put(content["name"], content["deployment"])
            case "remove":
                return await self._roster.remove(content["name"])
            case "share":
                return await self._roster.share(content)
        raise ServiceError("internal_error", f"There is no order {verb!r}.")
