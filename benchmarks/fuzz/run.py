"""run(): one target, many bodies; what became of them, how long the slowest took, how much memory grew."""

import hashlib
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.fuzz.mutation import Mutator
from benchmarks.fuzz.targets import Target

_HANGS_S = 20
_SETTLED = 0.1  # the share of bodies after which caches are full, and memory should not grow


class HangError(Exception):
    """A body took longer than any body may."""


@dataclass(slots=True)
class FuzzTally:
    """What became of the bodies.

    `slowest_s` is of processor time; `grown_bytes` is how much larger the process is than after a tenth of the bodies.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest_bytes: int = 0
    grown_bytes: int = 0
    seconds: float = 0.0

    def fields(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


def run(target: Target, count: int, seed: int, keep: Path) -> FuzzTally:
    """Throw `count` bodies at a target.

    Those that make it raise what it does not declare are kept in `keep`, the first of each kind, with the traceback.
    """
    mutator, tally = Mutator(target.samples, target.words, seed), FuzzTally()
    process, started, settled = psutil.Process(), time.perf_counter(), 0
    keep.mkdir(parents=True, exist_ok=True)
    current = keep / f"{target.name}.current"
    with current.open("wb", buffering=0) as file, _alarm():
        for number in range(count):
            if number == int(_SETTLED * count):
                settled = process.memory_info().rss
            body = mutator.body()
            # a decoder written in C may take the whole process along
            file.seek(0)
            file.write(len(body).to_bytes(4, "big") + body)
            _throw(target, body, tally, keep)
    current.unlink()
    tally.grown_bytes = process.memory_info().rss - settled
    tally.seconds = time.perf_counter() - started
    return tally


def _throw(target: Target, body: bytes, tally: FuzzTally, keep: Path) -> None:
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


def save(target: Target, body: bytes, why: str, keep: Path) -> Path:
    """Keep a body that a target failed on, and why."""
    file = keep / f"{target.name}-{hashlib.sha256(body).hexdigest()[:12]}"
    file.write_bytes(body)
    file.with_suffix(".txt").write_text(why)
    return file


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise HangError(f"more than {_HANGS_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
