"""MetricValues: the file of a process's metric values, whose space on disk is taken before anything is written.

prometheus_client maps sparse files into memory. On a full disk, the first write to a page without space ends the
process by SIGBUS.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

logger = logging.getLogger(__name__)

_FIRST_BYTES = 2**16
_OVERHEAD_BYTES = 32  # of an entry, beside its key
_LOCK = "metrics.lock"
_COUNTS = ("counter", "histogram")  # the kinds whose values outlive their process
_ENDED = "ended"  # in place of a process id: the sums of all processes that have ended


class MetricValues(MmapedDict):
    """The values of one kind of metrics of a process. Those for which there is no space are kept in memory.

    No other process sees these, so they are missing from a scrape.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._in_memory: dict[str, tuple[float, float]] = {}
        try:
            _allocate(filename, _FIRST_BYTES)
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
        except OSError as error:  # no space, a quota, too many open files
            with contextlib.suppress(OSError):
                os.unlink(filename)  # noqa: PTH108 - a scrape cannot read an empty file
            self._fname, self._positions, self._used, self._capacity = filename, {}, 0, 0
            self._f = self._m = None  # type: ignore[assignment]
            self._log(error)

    def read_value(self, key: str) -> Any:
        """Return (value, timestamp)."""
        return super().read_value(key) if self.has_room(key) else self._in_memory[key]  # type: ignore[no-untyped-call]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set a value."""
        if key in self._positions or self.has_room(key):
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
        else:
            self._in_memory[key] = value, timestamp

    def has_room(self, key: str) -> bool:
        """Whether a value is in the file, or fits into it now."""
        if key in self._positions:
            return True
        if key in self._in_memory:
            return False
        size, capacity = len(key.encode()) + _OVERHEAD_BYTES, self._capacity
        while 0 < capacity < self._used + size:
            capacity *= 2
        try:
            if capacity > self._capacity:
                _allocate(self._fname, capacity)
        except OSError as error:
            self._log(error)
            capacity = 0
        if not capacity:
            self._in_memory[key] = 0.0, 0.0
        return capacity > 0

    def _log(self, error: OSError) -> None:
        if not self._in_memory:
            text = "no space for all metrics, some will be missing file=%s: %s"
            logger.error(text, self._fname, error.strerror)


# prometheus_client has no parameter for the class of its files
values.MmapedDict = MetricValues  # type: ignore[attr-defined]


def _allocate(file: str, size: int) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


@contextmanager
def locked_files(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Lock the files of values, to read them or to merge some. Raises BlockingIOError where others read, to merge."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # a reader that was stopped must not stop the process that merges
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def merge_counts(folder: Path, pid: int) -> None:
    """Add the counts of a process that has ended to the sums of all such processes, and remove its files.

    Files for whose sums there is no space stay. Raises BlockingIOError where others read them now.
    """
    with locked_files(folder, exclusive=True):
        for kind in _COUNTS:
            if (file := folder / f"{kind}_{pid}.db").exists():
                _merge(file, folder / f"{kind}_{_ENDED}.db")


def _merge(file: Path, sums: Path) -> None:
    counts = {key: value for key, value, *_ in MmapedDict.read_all_values_from_file(file)}  # type: ignore[no-untyped-call]
    total = MetricValues(str(sums))
    try:
        before = {key: total.read_value(key)[0] for key in counts}
        if all(map(total.has_room, counts)):
            for key, value in counts.items():
                total.write_value(key, before[key] + value, 0.0)
            file.unlink()
    finally:
        total.close()  # type: ignore[no-untyped-call]
