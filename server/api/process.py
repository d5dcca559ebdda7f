"""An HTTP process: uvicorn on the listening sockets that all HTTP processes share."""

import asyncio
import gc
import math
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from server.api.app import create_app
from server.api.connections.http_connection import HttpConnection
from server.api.connections.open_connections import OpenConnections
from server.api.state import AppState
from server.api.table_updates import TableUpdates
from server.ipc.parent_pipe import READY, SERVES, read_config, report_to_parent, watch_parent
from server.ipc.process_config import ProcessConfig
from server.logs import configure_logs
from server.supervisor.port import refuse_new_connections

if TYPE_CHECKING:
    from server.api.rpc.server import GrpcServer

_ACCEPT_S = 0.05
_POLL_S = 0.01
_LINGER_S = 1.0


class _DrainingServer(uvicorn.Server):
    """uvicorn that the supervisor stops through its pipe instead of by signals, without losing a connection."""

    def __init__(self, config: uvicorn.Config, connections: OpenConnections) -> None:
        super().__init__(config)
        self._connections = connections
        self.grpc: GrpcServer | None = None

    async def on_tick(self, counter: int) -> bool:
        self._connections.close_expired()
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in sockets or []:
            refuse_new_connections(listening)
        grpc_stopped = asyncio.create_task(self._stop_grpc())
        await asyncio.sleep(_ACCEPT_S)  # the event loop accepts the connections that still wait
        for server in self.servers:
            server.close()
        # uvicorn would close a connection at once that was accepted just now and has not sent its request yet. Every
        # response closes its connection by now, so that only idle ones are left after a moment.
        end = time.monotonic() + _LINGER_S
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await grpc_stopped  # before the connections to engines are closed, which that does
        await super().shutdown(sockets)

    async def _stop_grpc(self) -> None:
        if self.grpc is not None:
            await self.grpc.stop(self.config.timeout_graceful_shutdown or 0.0)


def main() -> None:
    """Serve until the supervisor asks to drain, then until the requests in flight have their responses."""
    serve(read_config())


def serve(config: ProcessConfig) -> None:
    """Run an HTTP process."""
    settings = config.settings
    configure_logs(settings.log_format, settings.log_level)

    tasks: list[asyncio.Task[None]] = []  # event loops keep no reference of their own

    async def started(state: AppState) -> None:
        if config.grpc_address:
            os.environ.setdefault(
                "GRPC_VERBOSITY", "NONE"
            )  # else clients could fill the log with lines of another form
            from server.api.rpc.server import GrpcServer  # of an extra that most servers run without

            server.grpc = GrpcServer(state, config.grpc_address)
            await server.grpc.start()
        loop = asyncio.get_running_loop()
        updates = TableUpdates(state.deployments, config.table.number)
        watch_parent(
            drain=lambda: loop.call_soon_threadsafe(_drain, state, server),
            table=lambda table: asyncio.run_coroutine_threadsafe(updates.follow(table), loop),
        )
        # objects that exist now stay for good: exclude them from garbage collection
        gc.collect()
        gc.freeze()
        report_to_parent(READY)
        updates.report()
        tasks.append(loop.create_task(_report_when_ready(state)))

    connections = OpenConnections(settings.max_connections, settings.idle_timeout_ms / 1000)
    uvicorn_config = uvicorn.Config(
        create_app(settings, config.table, config.control, started),
        http=partial(HttpConnection, connections),  # type: ignore[arg-type] # called like the class
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # TrustedProxies reads them
        lifespan="on",
        timeout_keep_alive=math.ceil(settings.idle_timeout_ms / 1000),
        timeout_graceful_shutdown=max(1, settings.grace_period_ms // 1000),
    )
    server = _DrainingServer(uvicorn_config, connections)
    server.run(sockets=config.listening_sockets())


async def _report_when_ready(state: AppState) -> None:
    while not state.deployments.ready:
        await asyncio.sleep(_POLL_S)
    report_to_parent(SERVES)


def _drain(state: AppState, server: uvicorn.Server) -> None:
    state.deployments.draining = True

    def stop_accepting() -> None:
        server.should_exit = True

    # load balancers need a moment to see the failing readiness probe before the port closes
    asyncio.get_running_loop().call_later(state.settings.drain_delay_ms / 1000, stop_accepting)
