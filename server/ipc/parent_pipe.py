"""The parent pipe: standard input of a child process, which its parent holds open.

Its first line is the ProcessConfig. Later lines ask a child to `drain`, or give an HTTP process another routing table.
The end of the pipe means that the parent has gone, by choice or by accident, and the child exits at once. So a child
never outlives its parent, whatever happened to it, and needs no signals.

A child answers on its standard output: `ready`, `failed` with the reason, and which routing table it has settled on.
"""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable

from server.ipc.process_config import ProcessConfig
from server.ipc.routing_table import RoutingTable

DRAIN = b"drain\n"
TABLE = b"table "
READY = "ready"
FAILED = "failed"
SETTLED = "settled"


def read_config() -> ProcessConfig:
    """Read the first line. From here on signals are for the supervisor alone."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return ProcessConfig.model_validate_json(_pipe().readline())


def watch_parent(
    drain: Callable[[], object] = lambda: None,
    table: Callable[[RoutingTable], object] = lambda table: None,
    end: Callable[[], object] = lambda: None,
) -> None:
    """Follow the pipe on a thread of its own: `drain` and `table` are called when a line says so.

    At the end of the pipe `end` is called, and then the process exits.
    """
    threading.Thread(target=_watch, args=(drain, table, end), name="parent-pipe", daemon=True).start()


def tell_parent(*words: object) -> None:
    """Write one line to the parent."""
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
