"""The memory of an engine, which keeps what it has freed: docs/decisions/004-allocator.md."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KEPT_BYTES = 2**27  # growth by less is left to the next batch
_STATISTICS = Path("/proc/self/statm")
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc


@contextmanager
def growth_given_back() -> Iterator[None]:
    """Give freed memory back to the system where the process has grown much meanwhile.

    The next batch pages in its own again, which takes it some tenths of a second longer.
    """
    before = _resident_bytes()
    try:
        yield
    finally:
        if _trim is not None and _resident_bytes() - before > _KEPT_BYTES:
            _trim(0)


def _resident_bytes() -> int:
    return int(_STATISTICS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
