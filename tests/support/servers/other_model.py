"""Runs the real server with engines that load another model.

Command: python -m tests.support.servers.other_model MODULE:CLASS [FLAGS]. Its engines are processes of this module; the
others are the server's own and load nothing of the model.
"""

import sys
from importlib import import_module
from typing import Any

from models.networks.torchvision_import import import_torchvision
from server import service

_COMMAND = (sys.executable, "-m", "tests.support.servers.other_model")


def other_model(kind: str) -> tuple[str, ...]:
    """Return the command of a server whose engines load `kind`, MODULE:CLASS, a subclass of Classifier."""
    return (*_COMMAND, kind)


def _run_engine(kind: str) -> None:
    import_torchvision()
    from models import loaded
    from server.engine import process
    from server.engine.startup import loading

    module, _, name = kind.partition(":")
    chosen = getattr(import_module(module), name)

    def load(*arguments: Any, **options: Any) -> Any:
        model = loaded.load_classifier(*arguments, **options)
        return chosen(model.definition, model.network, model.device, model.precision, model.graph)

    setattr(loading, "load", load)  # noqa: B010
    process.main()


if __name__ == "__main__":
    if sys.argv[1] == "engine":
        _run_engine(sys.argv[2])
    else:
        sys.exit(service.main(sys.argv[2:], engine_command=(*_COMMAND, "engine", sys.argv[1])))
