"""Command: a verb of `python -m data`, and what runs one: exit codes, broken pipes, Ctrl-C."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NoReturn

from models.discovery import constants

REFUSED = 3
_BROKEN_PIPE = 128 + 13  # as a shell says it of a program that SIGPIPE ended
_INTERRUPTED = 128 + 2


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: `configure` adds its arguments to a parser, `run` takes what was given and returns an exit code."""

    name: str
    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def run_command(
    package: ModuleType,
    arguments: Sequence[str] | None,
    *,
    prog: str,
    description: str,
    refusals: tuple[type[Exception], ...],
) -> int:
    """Run the verb that the arguments begin with, one of the constants COMMAND in `package`; return its exit code.

    The code is 3, with a sentence on standard error, for what cannot be read or done at all: `refusals`, files, or
    arguments. It is 130 after Ctrl-C, and 141 where nobody reads the output to its end.
    """
    parser = _CommandParser(
        prog=prog, description=description, epilog=f"{prog} COMMAND --help lists the options of a command."
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for _, command in constants(package, "COMMAND"):
        verb = verbs.add_parser(command.name, help=command.help, description=f"{command.help.capitalize()}.")
        command.configure(verb)
        verb.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more as it ends, and would complain again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except refusals as error:
        return _refused(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refused(f"{where}{error.strerror or error}.")
    return code


def _refused(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return REFUSED


class _CommandParser(argparse.ArgumentParser):
    """Exits with 3 for arguments that it does not know, as 2 says that there are faults."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(REFUSED, f"error: {message}. See {self.prog} --help.\n")
