"""sightglass serve | check | models | data | training | explain | completion: the command of an installation.

Only what a command needs is imported, and nothing before it is known that this is Linux.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from settings.expectation import did_you_mean
from settings.version import product_version

_BAD_USAGE = 2
_SHELLS = ("bash", "zsh", "fish")
_DESCRIPTION = "Train and serve image models, and explain their scores."
_EPILOG = """Every command has a --help of its own.

example:
  sightglass check --model path/to/folder
  sightglass serve --model path/to/folder --port 8080
"""


def main(arguments: Sequence[str] | None = None, *, prog: str = "") -> int:
    """Run a command and return its exit code. `prog` is how its texts call it, where that is not by its own name."""
    if sys.platform != "linux":
        text = f"Sightglass runs on Linux, and this is {sys.platform!r}. Run its container image, or WSL 2 on Windows."
        print(f"error: {text}", file=sys.stderr)
        return _BAD_USAGE
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may follow, by the code that `completion` prints
        import argcomplete

        argcomplete.autocomplete(_parser_of_all())
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if not (words := [*unknown, *options.words]):
        parser.print_help(sys.stderr)
        return _BAD_USAGE
    name, *rest = words
    if name not in _COMMANDS:
        text = f"{name!r} is no command. Commands: {', '.join(_COMMANDS)}.{did_you_mean(name, _COMMANDS)}"
        print(f"error: {text} See sightglass --help.", file=sys.stderr)
        return _BAD_USAGE
    return _COMMANDS[name][0](rest, prog or f"sightglass {name}")


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, _COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="sightglass",
        usage="%(prog)s COMMAND [--flag VALUE ...]",
        description=f"{_DESCRIPTION}\n\ncommands:\n{commands}",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = f"sightglass {product_version()}"
    parser.add_argument("-V", "--version", action="version", version=version, help="print the version and exit")
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _parser_of_all() -> argparse.ArgumentParser:
    from models.__main__ import models_parser
    from server.service import service_parser

    parser = argparse.ArgumentParser(prog="sightglass", description=_DESCRIPTION)
    commands = parser.add_subparsers()
    parts = {
        "serve": service_parser("serve", choices=True),
        "check": service_parser("check", choices=True),
        "models": models_parser("models"),
        "completion": _completion_parser("completion"),
    }
    for name, part in parts.items():
        commands.add_parser(name, parents=[part], add_help=False)
    for name in ("data", "training", "explain"):  # whose own arguments this process does not know
        commands.add_parser(name)
    return parser


def _serve(arguments: Sequence[str], prog: str) -> int:
    from server.service import main as serve

    return serve(arguments, prog=prog)


def _check(arguments: Sequence[str], prog: str) -> int:
    return _serve(["--check", *arguments], prog)


def _models(arguments: Sequence[str], prog: str) -> int:
    from models.__main__ import main as models

    return models(arguments, prog=prog)


def _data(arguments: Sequence[str], prog: str) -> int:
    return _become("data", arguments)


def _training(arguments: Sequence[str], prog: str) -> int:
    return _become("training", arguments)


def _explain(arguments: Sequence[str], prog: str) -> int:
    return _become("explain", arguments)


def _become(package: str, arguments: Sequence[str]) -> int:
    """Replace this process by a package that a server never imports; nothing is imported from the current folder."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", package, *arguments])


def _completion(arguments: Sequence[str], prog: str) -> int:
    shell = _completion_parser(prog).parse_args(arguments).shell
    try:
        from argcomplete.shell_integration import shellcode
    except ModuleNotFoundError:
        text = "Completion needs the package argcomplete. Install Sightglass with its extra, '.[completion]'."
        print(f"error: {text}", file=sys.stderr)
        return _BAD_USAGE
    print(shellcode(["sightglass"], shell=shell))
    return 0


def _completion_parser(prog: str) -> argparse.ArgumentParser:
    description = f'Print code for a shell that then completes commands and flags: eval "$({prog} bash)".'
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("shell", choices=_SHELLS, help="the shell that reads the code")
    return parser


_COMMANDS: Mapping[str, tuple[Callable[[Sequence[str], str], int], str]] = {
    "serve": (_serve, "serve a model folder or a scoring script"),
    "check": (_check, "load it, score once, print every setting and where it came from, and open no port"),
    "models": (_models, "register, list and check models"),
    "data": (_data, "check, split, convert and show labelled images"),
    "training": (_training, "train a model on labelled images"),
    "explain": (_explain, "show where a model looks in many images"),
    "completion": (_completion, "print code that makes a shell complete commands and flags"),
}
