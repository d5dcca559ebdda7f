"""python -m data COMMAND: checks, splits, converts and shows labelled images."""

import sys
from collections.abc import Sequence

from data import commands
from data.command import run_command
from data.errors import DataError


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m data") -> int:
    """Run one command; return its exit code, or 3 and a sentence on standard error where it is refused."""
    return run_command(commands, arguments, prog=prog, description="Work with labelled images.", refusals=(DataError,))


if __name__ == "__main__":
    sys.exit(main())
