"""python -m server: reads the settings, finds the model, opens the port, and hands over to the supervisor."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from models.errors import ModelError
from models.folder import ModelFolder
from models.registry import resolve
from server.auth import Keys
from server.logs import configure_logs
from server.port import open_port
from server.supervisor import CANNOT_SERVE, ENGINE_COMMAND, Supervisor
from settings.command import load_server_settings, server_parser, unknown_flags
from settings.describe import effective_values
from settings.errors import SettingsError
from settings.resolved import Resolved
from settings.server import ServerSettings

logger = logging.getLogger("server")

BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None, engine_command: Sequence[str] = ENGINE_COMMAND) -> int:
    """Serve until a signal comes; returns 0, 2 for bad usage, or 3 where the model cannot be served.

    `engine_command` starts an engine process; another one than ours has to speak the same wire.
    """
    parser = server_parser("python -m server")
    parser.add_argument("--check", action="store_true", help="Load and score once, print the settings, open no port.")
    options, unknown = parser.parse_known_args(arguments)
    try:
        if unknown:
            raise SettingsError(f"{unknown_flags(unknown)} See --help.")
        resolved = _settings(options)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_USAGE
    configure_logs(resolved.values.log_format, resolved.values.log_level)
    for warning in resolved.warnings:
        logger.warning("%s", warning)
    try:
        folder = _model_folder(resolved.values)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_SERVE
    if getattr(options, "check", False):
        return _check(resolved, folder)
    return _serve(resolved.values, folder, engine_command)


def _settings(options: argparse.Namespace) -> Resolved[ServerSettings]:
    given = {name: value for name, value in vars(options).items() if name in ServerSettings.model_fields}
    resolved = load_server_settings(given, os.environ)
    if resolved.values.model is None and resolved.values.name is None:
        raise SettingsError("No model is named. Give --model FOLDER, or --name NAME of a registered model.")
    Keys(resolved.values.keys_file)
    return resolved


def _model_folder(settings: ServerSettings) -> Path:
    if settings.model is not None:
        return ModelFolder.open(settings.model).root if settings.model.is_dir() else settings.model
    return resolve(settings.model_root, str(settings.name), settings.version).path


def _check(resolved: Resolved[ServerSettings], folder: Path) -> int:
    from server.engine.check import check  # imports PyTorch, which the supervisor has no use for

    print(effective_values("server settings", resolved))
    try:
        print(check(folder, resolved.values))
    except (ModelError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_SERVE
    return 0


def _serve(settings: ServerSettings, folder: Path, engine_command: Sequence[str]) -> int:
    try:
        listening = open_port(settings.host, settings.port)
    except OSError as error:
        print(
            f"error: Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another --port.",
            file=sys.stderr,
        )
        return BAD_USAGE
    logger.info("serving %s on http://%s:%d", folder, settings.host, listening.getsockname()[1])
    return Supervisor(settings, folder, engine_command).run(listening)


if __name__ == "__main__":
    sys.exit(main())
