"""Runs the real server around another model than the one it loads, in engines that are this module's processes."""

import sys
from typing import Any

from models import loaded
from models.classifier import Classifier
from server import __main__ as server


def serve_with(kind: type[Classifier], module: str) -> None:
    """Run the server's command line; `module` names the caller, whose `engine` command is an engine around `kind`."""
    if sys.argv[1] == "engine":
        _run_engine(kind)
    else:
        sys.exit(server.main(sys.argv[1:], engine_command=(sys.executable, "-m", module, "engine")))


def _run_engine(kind: type[Classifier]) -> None:
    from server.engine import process

    def load(*arguments: Any, **options: Any) -> Classifier:
        model = loaded.load_classifier(*arguments, **options)
        return kind(model.definition, model.network, model.device, model.dtype, model.graph)

    setattr(process, "load", load)  # noqa: B010
    process.main()
