"""run_alone(): one target in a process of its own, which a body may end."""

import json
import logging
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.fuzz.run import run, save
from benchmarks.fuzz.targets import targets


def run_alone(name: str, count: int, seed: int, keep: Path) -> dict[str, Any]:
    """Return the fields of a FuzzTally; nothing but `failures` where a body brought the process to its end."""
    keep.mkdir(parents=True, exist_ok=True)
    result = keep / f"{name}.json"
    result.unlink(missing_ok=True)
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(name, count, seed, keep, result))
    process.start()
    process.join()
    if result.exists():
        found: dict[str, Any] = json.loads(result.read_text())
        result.unlink()
        return found
    if process.exitcode == 1:
        raise RuntimeError("The process ended with an error of its own, which is printed above.")
    current = (keep / f"{name}.current").read_bytes()
    body = current[4 : 4 + int.from_bytes(current[:4], "big")]
    save(targets()[name], body, f"the process ended with {process.exitcode}\n", keep)
    return {"failures": {f"the process ended with {process.exitcode}": 1}}


def _child(name: str, count: int, seed: int, keep: Path, result: Path) -> None:
    _silence()
    result.write_text(json.dumps(run(targets()[name], count, seed, keep).fields()))


def _silence() -> None:
    """Keep libraries from reporting every broken body: those in Python by their logs, those in C to the terminal."""
    logging.disable(logging.CRITICAL)
    sys.stderr = os.fdopen(os.dup(2), "w")  # tracebacks of our own still go there
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
