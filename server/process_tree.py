"""Processes as the kernel shows them in /proc: their children, and what they use."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# of the fields of a process's stat file behind its name; the manual proc_pid_stat(5) counts from 3
_STATE, _PARENT, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM, _START, _PAGES = 0, 1, 11, 12, 13, 14, 19, 21


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What a process has used. `ended_s` is the processor time of its children that have ended, and of theirs."""

    pid: int
    parent: int
    zombie: bool
    cpu_s: float
    ended_s: float
    started_s: float  # after the start of the system
    resident_bytes: int


def process_usage(pid: int) -> ProcessUsage | None:
    """Return what a process uses, None where it has gone."""
    try:
        # "PID (NAME) STATE PARENT ...", and a name may hold brackets and blanks
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return ProcessUsage(
        pid=pid,
        parent=int(fields[_PARENT]),
        zombie=fields[_STATE] == "Z",
        cpu_s=(int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS,
        ended_s=(int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])) / _TICKS,
        started_s=int(fields[_START]) / _TICKS,
        resident_bytes=int(fields[_PAGES]) * _PAGE_BYTES,
    )


def children(pid: int) -> list[int]:
    """Return the ids of the children of a process, those included that have ended and were not reaped."""
    threads = _PROC / str(pid) / "task"
    if not threads.exists():
        return []
    if not (threads / str(pid) / "children").exists():  # not every kernel has them
        return _children_by_parent(pid)
    found: list[int] = []
    for file in threads.glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, file.read_text().split())
    return found


def _children_by_parent(pid: int) -> list[int]:
    every = (process_usage(int(folder.name)) for folder in _PROC.glob("[0-9]*"))
    return [each.pid for each in every if each is not None and each.parent == pid]


def descendants(pid: int) -> list[int]:
    """Return the ids of the children of a process, and of theirs."""
    return [below for child in children(pid) for below in (child, *descendants(child))]
