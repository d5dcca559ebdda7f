"""python -m models register | list | check: the registered models under a model root."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import ModelError
from models.folder.registry import Registered, look_up, registered
from settings.errors import SettingsError
from settings.excerpt import counted

_CANNOT_SERVE = 3


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m models") -> int:
    """Run one command; return 0, or 3 and a sentence on stderr where a model cannot be served."""
    options = models_parser(prog).parse_args(arguments)
    try:
        return int(options.run(options))
    except (ModelError, SettingsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _CANNOT_SERVE


def models_parser(prog: str) -> argparse.ArgumentParser:
    """Build the parser of `main`."""
    parser = argparse.ArgumentParser(prog=prog, description="Register, list and check models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("register", help="copy a model folder into the model root as NAME/VERSION")
    command.add_argument("folder", type=Path, help="a model folder in any known layout, or a checkpoint file")
    command.add_argument("--name", required=True, help="what to call the model")
    command.add_argument("--version", type=int, help="a version to give it; without one, the next free number")
    command.set_defaults(run=_register)

    listing = commands.add_parser("list", help="list the registered models")
    listing.set_defaults(run=_list)

    checking = commands.add_parser("check", help="verify the files of registered models and load them")
    checking.add_argument("name", nargs="?", help="NAME, NAME@VERSION or NAME@latest; without it, all versions of all")
    checking.set_defaults(run=_check)

    for each in (command, listing, checking):
        each.add_argument("--model-root", type=Path, default=Path("model_root"), help="default: model_root")
    return parser


def _register(options: argparse.Namespace) -> int:
    from models.folder.registration import register  # imports PyTorch, which listing does not need

    model = register(options.folder, options.model_root, options.name, options.version)
    print(f"registered {model.name}@{model.version} in {model.path}")
    return 0


def _list(options: argparse.Namespace) -> int:
    def describe(model: Registered) -> str:
        manifest = model.manifest
        return f"{manifest.task}  {manifest.architecture}  {counted(len(manifest.labels), 'label')}  {manifest.created}"

    return _each(registered(options.model_root), describe)


def _check(options: argparse.Namespace) -> int:
    from models.loaded import load

    def verify(model: Registered) -> str:
        load(model.path)
        return "ok"

    named = options.name is not None
    return _each([look_up(options.model_root, options.name)] if named else registered(options.model_root), verify)


def _each(models: Sequence[Registered], describe: Callable[[Registered], str]) -> int:
    """Print a line for each model, also after a broken one."""
    code = 0
    for model in models:
        try:
            print(f"{model.name}@{model.version}  {describe(model)}")
        except (ModelError, SettingsError) as error:
            code = _CANNOT_SERVE
            print(f"{model.name}@{model.version}  {error}", file=sys.stderr)
    if not models:
        print("nothing is registered", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
