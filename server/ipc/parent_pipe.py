"""The parent pipe: standard input of a child process, which its parent holds open.

Its first line is the ProcessConfig. Later lines are `drain`, or another routing table for an HTTP process. The pipe
ends when the parent closes it or ends in any way, and the child exits at once. So a child never outlives its parent,
and it needs no signals.

A child reports on its standard output: `ready`, `failed` with the reason, and, if it is an HTTP process, `serves` once
its readiness probe answers 200, and `uses` with the number of the routing table that it uses, followed by those that
replaced deployments whose last requests it still answers. An engine or a decode worker that is ready writes `alive`
every second, so that its parent notices when it hangs.
"""

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable

from server.ipc.process_config import ProcessConfig
from server.ipc.routing_table import RoutingTable
from settings.excerpt import shortened
from settings.server import ServerSettings

DRAIN = b"drain\n"
TABLE = b"table "
READY = "ready"
FAILED = "failed"
SERVES = "serves"
USES = "uses"
ALIVE = "alive"
BEAT_S = 1.0  # between two of them

_HANGS_AFTER_S = (10.0, 300.0)  # at least and at most
_TIMEOUTS = 2.0  # of requests


def read_config() -> ProcessConfig:
    """Read the first line, and ignore SIGTERM and SIGINT from now on: only the supervisor handles them."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return ProcessConfig.model_validate_json(_pipe().readline())


def watch_parent(
    drain: Callable[[], object] = lambda: None,
    table: Callable[[RoutingTable], object] = lambda table: None,
    end: Callable[[], object] = lambda: None,
) -> None:
    """Read the pipe on a thread of its own, and call `drain` and `table` for their lines.

    At the end of the pipe, `end` is called, and then the process exits.
    """
    threading.Thread(target=_watch, args=(drain, table, end), name="parent-pipe", daemon=True).start()


def hang_limit_s(settings: ServerSettings) -> float:
    """Return the seconds after which a step on a device, or a process that is not `alive`, is taken to hang.

    Two timeouts of requests, so that nobody waits for its result any more; 10 s at least, and five minutes at most.
    """
    least, most = _HANGS_AFTER_S
    return min(max(_TIMEOUTS * settings.request_timeout_ms / 1000, least), most)


def report_to_parent(*words: object) -> None:
    """Write one line to the parent."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def report_failure(error: object) -> None:
    """Say on standard error and to the parent why this process cannot do its work, however long the reason is."""
    reason = shortened(str(error))
    print(f"error: {reason}", file=sys.stderr, flush=True)
    report_to_parent(FAILED, json.dumps(reason))


def _pipe() -> io.RawIOBase:
    # unbuffered: no data is lost between two readers, and no lock is held when the process ends
    return io.FileIO(sys.stdin.fileno(), closefd=False)


def _watch(drain: Callable[[], object], table: Callable[[RoutingTable], object], end: Callable[[], object]) -> None:
    pipe = _pipe()
    while line := pipe.readline():
        if line == DRAIN:
            drain()
        elif line.startswith(TABLE):
            table(RoutingTable.model_validate_json(line.removeprefix(TABLE)))
    end()
    # no process waits for replies any more, and an orderly exit would wait for the running batch
    os._exit(0)
