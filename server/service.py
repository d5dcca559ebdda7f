"""The service: reads the settings, locates the model or script, opens the port, and runs the supervisor."""

import argparse
import logging
import os
import re
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from models.errors import ModelError
from server.api.auth import Keys
from server.ipc.process_config import ProcessConfig
from server.logs import configure_logs, escape_output
from server.page.samples import Samples
from server.scripts.check import check_script
from server.supervisor.child import CANNOT_SERVE
from server.supervisor.launcher import ENGINE_COMMAND, check_model, locate
from server.supervisor.port import address_of, open_port, reserve_port
from server.supervisor.supervisor import Supervisor
from settings.command import load_server_settings, server_parser, unknown_flags
from settings.deployments import DeploymentSpec, Plan, load_plan, own_settings, single
from settings.describe import effective_values
from settings.errors import SettingsError
from settings.resolved import Resolved
from settings.server import ServerSettings

logger = logging.getLogger("server")

BAD_USAGE = 2
_FEWEST_FILES = 64  # of which a script and its server take about 30 with nothing to do


def main(
    arguments: Sequence[str] | None = None,
    engine_command: Sequence[str] = ENGINE_COMMAND,
    *,
    prog: str = "sightglass serve",
) -> int:
    """Serve until a signal. Returns 0, 2 for bad usage, or 3 where the model or script cannot be served.

    `engine_command` starts an engine process. Any other command must use the same protocol on the socket.
    """
    parser = service_parser(prog)
    options, unknown = parser.parse_known_args(arguments)
    escape_output()
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
        plan = _plan(resolved.values)
        if getattr(options, "check", False):
            return _check(resolved, plan, engine_command)
    except (ModelError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_SERVE
    return _serve(resolved.values, plan, engine_command)


def service_parser(prog: str, *, choices: bool = False) -> argparse.ArgumentParser:
    """Build the parser of `main`. `choices` is as for `server_parser`."""
    parser = server_parser(prog, choices=choices)
    parser.add_argument("--check", action="store_true", help="Load and score once, print the settings, open no port.")
    return parser


def _settings(options: argparse.Namespace) -> Resolved[ServerSettings]:
    given = {name: value for name, value in vars(options).items() if name in ServerSettings.model_fields}
    resolved = load_server_settings(given, os.environ)
    values = resolved.values
    if all(each is None for each in (values.model, values.name, values.deployments, values.entry_script)):
        raise SettingsError(
            "No model is named. Give --model FOLDER, --name NAME of a registered model, --entry-script FILE, or "
            "--deployments FILE."
        )
    if values.model_dir is not None and values.entry_script is None:
        raise SettingsError(
            f"--model-dir is {str(values.model_dir)!r}, for the model of a script, but no script is given. Add "
            "--entry-script FILE, or serve the folder by --model."
        )
    if values.grpc_port is not None and not _has_grpc():
        raise SettingsError(
            f"--grpc-port is {values.grpc_port}, but the packages for gRPC are not installed: pip install '.[grpc]'."
        )
    for keys_file in (values.keys_file, values.admin_keys_file):
        Keys(keys_file)
    if values.page == "on":
        Samples(values.page_samples)
    return resolved


def _has_grpc() -> bool:
    return all(find_spec(name) is not None for name in ("grpc", "google", "google.protobuf"))


def _plan(settings: ServerSettings) -> Plan:
    """Return the deployments to be served. Raises ModelError or SettingsError where one does not exist."""
    if settings.deployments is not None:
        plan = load_plan(settings.deployments)
    elif settings.entry_script is not None:
        script = DeploymentSpec(entry_script=settings.entry_script, model_dir=settings.model_dir)
        plan = single(settings.deployment_name or _deployment_name(settings.entry_script.stem), script)
    elif settings.model is not None:
        folder_name = _deployment_name(settings.model.resolve().stem)
        plan = single(settings.deployment_name or folder_name, DeploymentSpec(model=settings.model))
    else:
        name, _, version = str(settings.name).partition("@")
        registered = DeploymentSpec(name=f"{name}@{version or settings.model_version}")
        plan = single(settings.deployment_name or _deployment_name(name), registered)
    for name, deployment in plan.deployments.items():
        locate(own_settings(settings, deployment, f"deployment {name!r}"), deployment)
    return plan


def _deployment_name(text: str) -> str:
    """Derive the name of a deployment from that of its model or script."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:64] or "model"


def _check(resolved: Resolved[ServerSettings], plan: Plan, engine_command: Sequence[str]) -> int:
    print(effective_values("server settings", resolved))
    for name, deployment in plan.deployments.items():
        if resolved.values.deployments is not None:
            print(f"deployment {name}")
        settings = own_settings(resolved.values, deployment, f"deployment {name!r}")
        if deployment.kind == "script":
            print(check_script(deployment, settings))
        else:
            folder, _ = locate(settings, deployment)
            config = ProcessConfig(settings=settings, deployment=name, folder=folder, device=settings.device[0])
            sys.stdout.flush()
            if code := check_model(config, engine_command):
                return code
    return 0


def _serve(settings: ServerSettings, plan: Plan, engine_command: Sequence[str]) -> int:
    if (files := resource.getrlimit(resource.RLIMIT_NOFILE)[0]) < _FEWEST_FILES:
        text = f"A process may have {files} files open; at least {_FEWEST_FILES} are needed. Raise it with ulimit -n."
        print(f"error: {text}", file=sys.stderr)
        return BAD_USAGE
    try:
        listening = [_opened("--port", open_port, settings.host, settings.port)]
        if settings.health_port is not None:
            listening.append(_opened("--health-port", open_port, settings.host, settings.health_port))
        grpc_port = None
        if settings.grpc_port is not None:
            grpc_port = _opened("--grpc-port", reserve_port, settings.host, settings.grpc_port)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_USAGE
    sources = ", ".join(
        f"{name} from {locate(own_settings(settings, one, f'deployment {name!r}'), one)[0]}"
        for name, one in plan.deployments.items()
    )
    logger.info("loading %s, to be served on http://%s", sources, address_of(listening[0]))
    if grpc_port is not None:
        logger.info("serving gRPC on %s", address_of(grpc_port))
    try:
        return Supervisor(settings, plan, settings.deployments, engine_command).run(listening, grpc_port)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_USAGE


def _opened(flag: str, opening: Callable[[str, int], socket.socket], host: str, port: int) -> socket.socket:
    try:
        return opening(host, port)
    except OSError as error:
        text = f"Cannot listen on {host} port {port}: {error.strerror}. Choose another {flag}."
        raise SettingsError(text) from None
