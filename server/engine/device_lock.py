"""DeviceLock: engines on the same cores compute one after the other.

The threads of a batch wait for each other after every layer. When two engines compute at the same time, each has
threads that lost their core to the other, and both take many times as long as they would one after the other.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class DeviceLock:
    """A lock between processes. The process that is next holds a second lock, so that none is overtaken twice.

    The kernel releases both when a process ends. Only one thread of a process may use it; a nested entry does nothing.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._device, self._next = (os.open(folder / name, flags, 0o600) for name in ("device", "next"))
        self._depth = 0

    def __enter__(self) -> Self:
        """Wait for the lock."""
        if not self._depth:
            fcntl.flock(self._next, fcntl.LOCK_EX)
            fcntl.flock(self._device, fcntl.LOCK_EX)
            fcntl.flock(self._next, fcntl.LOCK_UN)
        self._depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the lock."""
        self._depth -= 1
        if not self._depth:
            fcntl.flock(self._device, fcntl.LOCK_UN)
