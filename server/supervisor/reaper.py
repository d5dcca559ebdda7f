"""Reaper: as process 1 of a container, takes up the zombies of processes whose own parents have ended."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PAUSE_S = 1.0


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
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "PID (NAME) STATE PARENT ...", and a name may hold brackets and blanks
            state, parent = file.read_text(errors="replace").rpartition(")")[2].split()[:2]
        except OSError:  # it has gone meanwhile
            continue
        if state == "Z" and int(parent) == os.getpid():
            yield int(file.parent.name)
