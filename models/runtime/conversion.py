"""Converts a model for a runtime in a process of its own.

python -m models.runtime.conversion FOLDER RUNTIME PRECISION DEVICE INTO

Conversion takes seconds to minutes and needs threads and memory that an engine should not hold; a converter that
crashes does no harm there. Exit code 0, or 1 with the reason as the last line of the error stream.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from models.errors import ModelError, first_line
from models.loaded import load
from models.runtime.runtime import ComputeOptions, available
from settings.module_command import module_command

_NICE = 19  # the lowest priority: an engine that serves meanwhile goes first


def convert_apart(folder: Path, runtime: str, precision: str, device: str, into: Path) -> None:
    """Convert the model in `folder` into the empty folder `into`, in a process that ends with this one.

    ModelError with the reason where that fails.
    """
    command = [*module_command("models.runtime.conversion"), str(folder), runtime, precision, device, str(into)]
    # nothing is written to its input, which is closed when this process ends
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        errors = process.stderr.read().strip().splitlines()
    if process.returncode:
        raise ModelError(errors[-1] if errors else f"the conversion ended with exit code {process.returncode}")


def _convert(folder: Path, runtime: str, precision: str, device: str, into: Path) -> None:
    model = load(folder, device=device, precision=precision)
    available()[runtime].convert(model.graph_source(), ComputeOptions(model.device, model.precision), into)


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Run the command."""
    os.nice(_NICE)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    folder, runtime, precision, device, into = sys.argv[1:]
    try:
        _convert(Path(folder), runtime, precision, device, Path(into))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {first_line(error)}")


if __name__ == "__main__":
    main()
