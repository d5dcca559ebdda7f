"""Lifeline: the pipe from the supervisor to a child's standard input.

Its first line is what the child needs to start. Afterwards a line `drain` asks the child to finish, a line `table`
tells an HTTP process of other deployments, and the end of the pipe means that the supervisor has gone, by choice or by
accident: the child ends at once. A child therefore never outlives its parent, whatever happened to it, and needs no
signals. Its standard output goes the other way: `ready`, `failed` with the reason, and how far it has got with a table.
"""

import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from server.ipc.routing_table import RoutingTable
from settings.deployments import DeploymentSpec
from settings.server import ServerSettings

DRAIN = b"drain\n"
TABLE = b"table "
READY = "ready"
FAILED = "failed"


class DecodeWorkerConfig(BaseModel):
    """What a decode worker is told: its number, the address of its engine, and how that computes.

    `pictures` is the file of the memory that they share, for pictures of `shape`, [N, ...]; `timings` are the pictures
    in a batch and its seconds.
    """

    model_config = ConfigDict(extra="forbid")

    number: int
    engine: Path
    runtime: str
    pictures: int
    shape: tuple[int, ...]
    timings: tuple[tuple[int, float], ...]


class ProcessConfig(BaseModel):
    """What a child process is started with.

    An engine gets its deployment's settings, the model folder, a device, the address to listen at and the folder
    where engines take turns; the host of a script its settings, the address and the deployment itself; an HTTP process
    the server's settings, the routing table, the ports, and where the supervisor takes commands. A decode worker gets
    what its engine got, with an address of its own, its share of threads and batches, and how to reach its engine.
    """

    model_config = ConfigDict(extra="forbid")

    settings: ServerSettings
    deployment: str = ""
    folder: Path = Path()
    script: DeploymentSpec | None = None
    device: str = "cpu"
    address: Path = Path()
    lock_folder: Path = Path()
    decode_worker: DecodeWorkerConfig | None = None
    table: RoutingTable = RoutingTable()
    listening: tuple[int, ...] = ()
    control: Path = Path()

    @property
    def inherited(self) -> tuple[int, ...]:
        """The files of its parent that the child keeps open."""
        return self.listening if self.decode_worker is None else (self.decode_worker.pictures,)

    def listening_sockets(self) -> list[socket.socket]:
        """Return the inherited sockets that all HTTP processes accept from."""
        return [socket.socket(fileno=number) for number in self.listening]


def read_config() -> ProcessConfig:
    """Read the first line of the lifeline. From here on signals are the supervisor's business alone."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return ProcessConfig.model_validate_json(_pipe().readline())


def watch_parent(
    drain: Callable[[], object] = lambda: None,
    table: Callable[[RoutingTable], object] = lambda table: None,
    end: Callable[[], object] = lambda: None,
) -> None:
    """Watch the lifeline on a thread of its own; calls `drain` and `table` when told so, ends the process with it.

    Right before, it calls `end`.
    """
    threading.Thread(target=_watch, args=(drain, table, end), name="lifeline", daemon=True).start()


def tell_parent(*words: object) -> None:
    """Tell the supervisor something, in one line."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def _pipe() -> io.RawIOBase:
    # unbuffered: nothing read ahead is lost between two readers, and no lock is held when the process ends
    return io.FileIO(sys.stdin.fileno(), closefd=False)


def _watch(drain: Callable[[], object], table: Callable[[RoutingTable], object], end: Callable[[], object]) -> None:
    pipe = _pipe()
    while line := pipe.readline():
        if line == DRAIN:
            drain()
        elif line.startswith(TABLE):
            table(RoutingTable.model_validate_json(line.removeprefix(TABLE)))
    end()
    # nobody is left to reply to, and an orderly exit would wait for the batch that is running
    os._exit(0)
