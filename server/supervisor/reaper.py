"""Reaper: takes up the processes whose own parents have ended, as process 1 does for the whole system."""

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Iterator

from server.process_tree import children, process_usage

_PAUSE_S = 1.0
_PR_SET_CHILD_SUBREAPER = 36


def inherit_orphans() -> None:
    """Make this process the parent of all processes below it whose own parents end, as the kernel allows.

    What they have used still counts as used below this process then.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


async def reap_orphans() -> None:
    """Reap zombies that this process inherited, for ever.

    The event loop reaps processes that it started at once, and must get their exit codes. So only what is still a
    zombie a second later is reaped here.
    """
    before: set[int] = set()
    while True:
        await asyncio.sleep(_PAUSE_S)
        zombies = set(_zombies())
        for pid in before & zombies:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        before = zombies


def _zombies() -> Iterator[int]:
    """Yield the ids of the children of this process that have ended and were not reaped."""
    for pid in children(os.getpid()):
        usage = process_usage(pid)
        if usage is not None and usage.zombie:
            yield pid
