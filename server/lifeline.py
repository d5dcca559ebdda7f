"""Lifeline: the pipe from the supervisor to a child's standard input.

Its first line is what the child needs to start. Afterwards a line `drain` asks the child to finish, and the end of
the pipe means that the supervisor has gone, by choice or by accident: the child ends at once. A child therefore
never outlives its parent, whatever happened to it, and needs no signals.
"""

import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from settings.server import ServerSettings

DRAIN = b"drain\n"


class Launch(BaseModel):
    """What a child process is started with: the settings, the model folder, and where the processes meet."""

    settings: ServerSettings
    folder: Path
    device: str = "cpu"
    sockets: list[Path] = []
    listening: int = -1

    def listening_socket(self) -> socket.socket:
        """Return the inherited socket that all HTTP processes accept from."""
        return socket.socket(fileno=self.listening)


def receive_launch() -> Launch:
    """Read the first line of the lifeline. From here on signals are the supervisor's business alone."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    return Launch.model_validate_json(_pipe().readline())


def follow(drain: Callable[[], object]) -> None:
    """Watch the lifeline on a thread of its own; calls `drain` when asked to, ends the process at its end."""
    threading.Thread(target=_watch, args=(drain,), name="lifeline", daemon=True).start()


def _pipe() -> io.RawIOBase:
    # unbuffered: nothing read ahead is lost between two readers, and no lock is held when the process ends
    return io.FileIO(sys.stdin.fileno(), closefd=False)


def _watch(drain: Callable[[], object]) -> None:
    pipe = _pipe()
    while line := pipe.readline():
        if line == DRAIN:
            drain()
    # nobody is left to reply to, and an orderly exit would wait for the batch that is running
    os._exit(0)
