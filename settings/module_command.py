"""The command of a process that runs one of our modules."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_NOT_FROM_HERE = "-P"  # of Python: without the current folder, in which `-m` looks first


def module_command(module: str) -> tuple[str, ...]:
    """Return the command that runs `module` in this Python.

    It imports nothing from the current folder, unless that holds our own folders: a user may have a `settings.py` or a
    package `models` of their own there.
    """
    try:
        ours = Path.cwd().resolve() == _ROOT
    except FileNotFoundError:  # the current folder was removed
        ours = False
    return (sys.executable, *(() if ours else (_NOT_FROM_HERE,)), "-m", module)
