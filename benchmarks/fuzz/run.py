"""One target, many bodies: what became of them, how long the slowest took, how much memory grew."""

import faulthandler
import hashlib
import logging
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.fuzz.mutation import Mutator
from benchmarks.fuzz.targets import Target

_HANGS_S = 20.0  # on the clock, for one body
_SETTLED = 0.1  # the share of bodies after which caches are full, and memory should not grow


class HangError(Exception):
    """A body took longer than any body may."""


@dataclass(slots=True)
class FuzzTally:
    """How many bodies had which outcome, and which failure.

    `slowest_s` is in seconds of processor time. `grown_bytes` is by how much the process grew after a tenth of the
    bodies.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest_bytes: int = 0
    grown_bytes: int = 0
    seconds: float = 0.0


def run_alone(target: Target, count: int, seed: int, keep: Path) -> FuzzTally:
    """Call run() in a process of its own; a FuzzTally with one failure alone where a body ended that process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_silence) as pool:
        try:
            return pool.submit(run, target, count, seed, keep).result()
        except BrokenProcessPool:
            kind = "the process ended"
            save(target, _current(target, keep).read_bytes(), kind, keep)
            return FuzzTally(failures=Counter([kind]))


def run(target: Target, count: int, seed: int, keep: Path) -> FuzzTally:
    """Send `count` bodies to a target.

    The first body of each kind of failure is kept in `keep`, with the traceback. A failure is an error that the target
    does not declare, or 20 seconds without an end.
    """
    mutator, tally = Mutator(target.samples, target.words, seed), FuzzTally()
    process, started, settled = psutil.Process(), time.perf_counter(), 0
    keep.mkdir(parents=True, exist_ok=True)
    current = _current(target, keep)
    with current.open("wb", buffering=0) as file, _alarm():
        for number in range(count):
            if number == int(_SETTLED * count):
                settled = process.memory_info().rss
            body = mutator.body()
            # a decoder written in C may end the whole process
            file.seek(0)
            file.truncate()
            file.write(body)
            _send(target, body, tally, keep)
    current.unlink()
    tally.grown_bytes = process.memory_info().rss - settled
    tally.seconds = time.perf_counter() - started
    return tally


def save(target: Target, body: bytes, why: str, keep: Path) -> None:
    """Keep a body that a target failed on, and why."""
    file = keep / f"{target.name}-{hashlib.sha256(body).hexdigest()[:12]}"
    file.write_bytes(body)
    file.with_suffix(".txt").write_text(why)


def _send(target: Target, body: bytes, tally: FuzzTally, keep: Path) -> None:
    signal.setitimer(signal.ITIMER_REAL, _HANGS_S)
    started = time.process_time()  # others may be busy on the machine too
    try:
        tally.outcomes[target.parse(body)] += 1
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
        tally.failures[kind] += 1
        if tally.failures[kind] == 1:
            save(target, body, "".join(traceback.format_exception(error)), keep)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds = time.process_time() - started
    if seconds > tally.slowest_s:
        tally.slowest_s, tally.slowest_bytes = seconds, len(body)


def _current(target: Target, keep: Path) -> Path:
    return keep / f"{target.name}.current"


def _silence() -> None:
    """Keep libraries from reporting every broken body: those in Python by their logs, those in C on the terminal."""
    logging.disable(logging.CRITICAL)
    sys.stderr = os.fdopen(os.dup(2), "w")  # tracebacks of our own still go there, and those of a crash
    faulthandler.enable(sys.stderr)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise HangError(f"more than {_HANGS_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
