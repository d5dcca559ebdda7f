"""python -m explain COMMAND: explains a model by many images."""

import sys
from collections.abc import Sequence

from data.command import run_command
from data.errors import DataError
from explain import commands
from explain.errors import ExplanationError
from models.errors import ModelError
from settings.errors import SettingsError


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m explain") -> int:
    """Run one command; return its exit code, or 3 and a sentence on standard error where it is refused."""
    return run_command(
        commands,
        arguments,
        prog=prog,
        description="Explain a model by many images.",
        refusals=(DataError, ExplanationError, ModelError, SettingsError),
    )


if __name__ == "__main__":
    sys.exit(main())
