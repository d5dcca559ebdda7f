"""DeviceLock: engines that compute on the same cores do so one after the other.

The threads of a batch wait for each other after every layer. Where two engines run at once, each has threads that lost
their core to the other, and both take many times as long as they would in turns.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class DeviceLock:
    """A lock between processes, and a second one for whoever is next, so that nobody is overtaken twice.

    The kernel lets go of both when a process ends. For one thread of each process.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._turn, self._next = (os.open(folder / name, flags, 0o600) for name in ("turn", "next"))
        self._depth = 0

    def __enter__(self) -> Self:
        """Wait for the turn; within one, do nothing."""
        if not self._depth:
            fcntl.flock(self._next, fcntl.LOCK_EX)
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            fcntl.flock(self._next, fcntl.LOCK_UN)
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let others go on."""
        self._depth -= 1
        if not self._depth:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
