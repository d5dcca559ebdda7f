"""python -m training COMMAND: trains models on labelled images."""

import sys
from collections.abc import Sequence

from data.command import run_command
from data.errors import DataError
from models.errors import ModelError
from settings.errors import SettingsError
from training import commands
from training.errors import TrainingError


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m training") -> int:
    """Run one command; return its exit code, or 3 and a sentence on standard error where it is refused."""
    return run_command(
        commands,
        arguments,
        prog=prog,
        description="Train models on labelled images.",
        refusals=(TrainingError, DataError, ModelError, SettingsError),
    )


if __name__ == "__main__":
    sys.exit(main())
