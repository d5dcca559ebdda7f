"""Converts a model for a runtime in a process of its own.

python -m models.runtime.conversion FOLDER RUNTIME PRECISION DEVICE INTO

Conversion takes seconds to minutes and brings threads and memory that an engine shall not have; and a converter that
crashes takes nothing along. Exit code 0, or 1 with the reason as the last line of the error stream.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from models.errors import ModelError, first_line
from models.loaded import load
from models.runtime.runtime import ComputeOptions, available

_NICE = 10  # an engine that serves meanwhile goes first


def convert_apart(folder: Path, runtime: str, precision: str, device: str, into: Path) -> None:
    """Convert the model in `folder` in a process of its own, into the empty folder `into`; ModelError with the reason.

    That process ends with this one.
    """
    command = [sys.executable, "-m", "models.runtime.conversion", str(folder), runtime, precision, device, str(into)]
    # nothing is written to its input, which ends when this process does
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read().strip().splitlines()
    if process.returncode:
        raise ModelError(said[-1] if said else f"the conversion ended with exit code {process.returncode}")


def _convert(folder: Path, runtime: str, precision: str, device: str, into: Path) -> None:
    model = load(folder, device=device, precision=precision)
    available()[runtime].convert(model.graph_source(), ComputeOptions(model.device, model.precision), into)


def _follow() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Run the command."""
    os.nice(_NICE)
    threading.Thread(target=_follow, daemon=True).start()
    folder, runtime, precision, device, into = sys.argv[1:]
    try:
        _convert(Path(folder), runtime, precision, device, Path(into))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {first_line(error)}")


if __name__ == "__main__":
    main()
