"""Supervisor: starts the processes of all deployments and the HTTP processes, keeps them alive, and stops them."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.cores import usable_cores
from server.errors import ServiceError
from server.ipc.control import serve_commands
from server.ipc.process_config import ProcessConfig
from server.supervisor.child import CANNOT_SERVE, Child
from server.supervisor.launcher import ENGINE_COMMAND, Launcher, LaunchError
from server.supervisor.plan_file import PlanFile
from server.supervisor.port import address_of
from server.supervisor.reaper import inherit_orphans, reap_orphans
from server.supervisor.rollout import Rollout
from server.supervisor.service_manager import READY, STOPPING, notify
from server.supervisor.session_folder import session_folder
from server.supervisor.table_publisher import TablePublisher
from settings.deployments import Plan
from settings.module_command import module_command
from settings.server import ServerSettings

if TYPE_CHECKING:
    from server.metrics import Metrics

logger = logging.getLogger(__name__)

HTTP_COMMAND = module_command("server.api")
_GPU = Path("/dev/nvidia0")  # exists where PyTorch would find a GPU; checked without importing PyTorch
_ENDS_WITHIN_S = 2.0  # after the grace period


def http_processes(settings: ServerSettings) -> int:
    """Return the number of HTTP processes.

    One handles a thousand requests of an image in a second. On a CPU, models need the cores for longer than that.
    """
    if settings.http_processes != "auto":
        return settings.http_processes
    on_gpu = any(device.startswith("cuda") or (device == "auto" and _GPU.exists()) for device in settings.device)
    return max(1, usable_cores() // 4) if on_gpu else 1


class Supervisor:
    """Serves a plan until SIGTERM or SIGINT, or until all deployments with traffic have failed to start.

    `file` is the file of the plan, if it has one: changes are saved there.
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
        self._grpc_port: socket.socket | None = None

    def run(self, listening: Sequence[socket.socket], grpc_port: socket.socket | None = None) -> int:
        """Serve on listening sockets, and on a reserved port for gRPC if there is one.

        Returns the exit code: 0 after a signal, 3 where nothing can be served.
        """
        self._grpc_port = grpc_port
        inherit_orphans()
        with session_folder() as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
            return asyncio.run(self._run(listening, folder))

    async def _run(self, listening: Sequence[socket.socket], folder: Path) -> int:
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish, 0)
        from server.metrics import Metrics  # the library reads the folder of metrics when it is imported

        self._metrics = Metrics()
        launcher = Launcher(self._settings, folder, self._engine_command, self._process_ended)
        publisher = TablePublisher(named=self._file is not None)
        rollout = Rollout(launcher, self._plan, PlanFile(self._file), publisher)
        try:
            rollout.start_all()
        except LaunchError as error:
            print(f"error: {error}", file=sys.stderr)
            self._finish(CANNOT_SERVE)
        control = folder / "control.sock"
        commands = await serve_commands(control, _Commands(rollout).handle, publisher.is_http_process)
        publisher.http_processes = self._http_processes(publisher, listening, control)
        for http_process in publisher.http_processes:
            http_process.start()
        start = self._watch_start(rollout, publisher, address_of(listening[0]))
        watched = (start, *map(self._watch_http_process, publisher.http_processes))
        tasks = [asyncio.create_task(each) for each in (*watched, reap_orphans())]
        code = await self._done
        self._stopping = True
        notify(STOPPING)
        # only the HTTP processes accept now; the port is closed once they have closed it too
        for port in listening:
            port.close()
        commands.close()
        for task in tasks:
            task.cancel()
        rollout.give_up_loading()
        await self._drain(publisher.http_processes)
        await rollout.close()  # which ends engines that have no requests by then
        await asyncio.gather(*tasks, return_exceptions=True)
        return code

    def _http_processes(
        self, publisher: TablePublisher, listening: Sequence[socket.socket], control: Path
    ) -> list[Child]:
        def config() -> ProcessConfig:
            numbers = tuple(port.fileno() for port in listening)
            return ProcessConfig(
                settings=self._settings,
                table=publisher.table,
                listening=numbers,
                grpc_address=address_of(self._grpc_port) if self._grpc_port is not None else "",
                control=control,
            )

        count = http_processes(self._settings)
        return [
            Child("http", HTTP_COMMAND, config, on_line=publisher.read_line, ended=self._process_ended)
            for _ in range(count)
        ]

    async def _watch_start(self, rollout: Rollout, publisher: TablePublisher, address: str) -> None:
        started = time.monotonic()
        try:
            await rollout.wait_first_ready()
        except LaunchError:
            self._finish(CANNOT_SERVE)  # each engine has logged why
            return
        await publisher.wait_serving()
        logger.info("ready on http://%s seconds=%.1f", address, time.monotonic() - started)
        notify(READY)

    async def _watch_http_process(self, http_process: Child) -> None:
        try:
            await http_process.ready()
        except Exception:
            logger.critical("an HTTP process cannot be started", exc_info=True)
            self._finish(CANNOT_SERVE)

    def _process_ended(self, child: Child, pid: int) -> None:
        assert self._metrics is not None
        if self._stopping:
            return
        self._metrics.forget_process(pid)
        if child.role != "http" and not child.stopping:
            self._metrics.engine_restarts.inc()

    def _finish(self, code: int) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(code)

    async def _drain(self, http_processes: Sequence[Child]) -> None:
        timeout_s = (self._settings.drain_delay_ms + self._settings.grace_period_ms) / 1000 + _ENDS_WITHIN_S
        for http_process in http_processes:
            http_process.request_stop()
        await asyncio.gather(*(http_process.wait_stopped(timeout_s) for http_process in http_processes))


class _Commands:
    """Executes the commands that operators send through an HTTP process."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout

    async def handle(self, verb: str, content: Mapping[str, Any]) -> Any:
        match verb:
            case "list":
                return self._rollout.describe()
            case "put":
                return await self._rollout.put(content["name"], content["deployment"])
            case "remove":
                return await self._rollout.remove(content["name"])
            case "share":
                return await self._rollout.share(content)
        raise ServiceError("internal_error", f"There is no order {verb!r}.")
