"""Launcher: the deployments of a server and the engine or script processes behind each, as the supervisor has them."""

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.folder.layout import locate
from models.folder.registry import look_up
from server.ipc.parent_pipe import ProcessConfig
from server.ipc.routing_table import Route
from server.scripts.location import ScriptLocation
from server.supervisor.child import Child, ChildError
from settings.deployments import DeploymentSpec, own_settings
from settings.errors import SettingsError
from settings.server import ServerSettings

ENGINE_COMMAND = (sys.executable, "-m", "server.engine")
SCRIPT_COMMAND = (sys.executable, "-m", "server.scripts")

# glibc returns large blocks to the kernel after each batch and pages them in again for the next one. Keeping them
# makes the forward pass up to three times as fast; see docs/decisions.
ENGINE_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
_ENGINE_ENDS_WITHIN_S = 5.0


class State(StrEnum):
    """How far a deployment has got. Only those that are READY, or were once, may get requests."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class LaunchError(Exception):
    """A deployment cannot be started. The text says why."""


@dataclass(slots=True, eq=False)
class RunningDeployment:
    """A deployment with its engines. `route` is how HTTP processes see it, `reason` says why it FAILED.

    `folder` is that of its model, or the file of its script, whose host takes the place of an engine.
    """

    deployment: DeploymentSpec
    folder: Path
    route: Route
    engines: Sequence[Child]
    state: State = State.LOADING
    reason: str = ""

    def describe(self) -> dict[str, Any]:
        """Return what an operator may want to know, as JSON values."""
        return {
            self.route.kind: str(self.folder),
            "registered": self.deployment.name,
            "version": self.route.version,
            "settings": self.deployment.settings,
            "state": self.state,
            "reason": self.reason,
            "engines": len(self.engines),
        }


class Launcher:
    """Starts and ends deployments; which of them get requests is decided elsewhere.

    `folder` is where processes meet, `command` starts an engine, `ended` is told of each that ended by itself.
    """

    def __init__(
        self, settings: ServerSettings, folder: Path, command: Sequence[str], ended: Callable[[Child, int], None]
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._command = command
        self._ended = ended
        self._numbers = itertools.count()
        self.members: dict[str, RunningDeployment] = {}

    def __iter__(self) -> Iterator[RunningDeployment]:
        return iter(self.members.values())

    def recruit(self, name: str, deployment: DeploymentSpec) -> RunningDeployment:
        """Start the engines of a deployment, beside those that are there; LaunchError where it cannot be one."""
        try:
            settings = own_settings(self._settings, deployment, f"deployment {name!r}")
            folder, version = find(settings, deployment)
        except (SettingsError, ModelError, OSError) as error:  # such as of a path that is too long to be one
            raise LaunchError(str(error)) from None
        number = next(self._numbers)
        hosts = 1 if deployment.kind == "script" else len(settings.device)
        sockets = tuple(self._folder / f"engine-{number}-{place}.sock" for place in range(hosts))
        route = Route(name=name, kind=deployment.kind, version=version, settings=settings, sockets=sockets)
        engines = self._host(deployment, route) if deployment.kind == "script" else self._engines(folder, route)
        for engine in engines:
            engine.start()
        return RunningDeployment(deployment, folder, route, engines)

    def _engines(self, folder: Path, route: Route) -> list[Child]:
        shared = partial(
            ProcessConfig, settings=route.settings, deployment=route.name, folder=folder, lock_folder=self._folder
        )
        return [
            Child(
                "engine",
                self._command,
                partial(shared, device=device, address=socket),
                ENGINE_ENVIRONMENT,
                ended=self._ended,
            )
            for device, socket in zip(route.settings.device, route.sockets, strict=True)
        ]

    def _host(self, script: DeploymentSpec, route: Route) -> list[Child]:
        (address,) = route.sockets
        config = partial(ProcessConfig, settings=route.settings, deployment=route.name, script=script, address=address)
        return [Child("script", SCRIPT_COMMAND, config, ended=self._ended)]

    async def warm(self, member: RunningDeployment) -> None:
        """Wait until a deployment is ready to score; LaunchError with the reason where it will not be."""
        try:
            await asyncio.gather(*(engine.ready() for engine in member.engines))
        except ChildError as error:
            member.state, member.reason = State.FAILED, str(error)
            raise LaunchError(str(error)) from None
        member.state = State.READY

    async def dismiss(self, member: RunningDeployment) -> None:
        """End the engines of a deployment, which by then have nothing left to do."""
        for engine in member.engines:
            engine.let_go()
        await asyncio.gather(*(engine.gone(_ENGINE_ENDS_WITHIN_S) for engine in member.engines))
        for socket in member.route.sockets:
            for place in self._folder.glob(f"{socket.stem}.*"):  # those of its decode workers too
                place.unlink(missing_ok=True)


def find(settings: ServerSettings, deployment: DeploymentSpec) -> tuple[Path, int | None]:
    """Return the folder of a deployment's model or the file of its script, and its version if it is registered.

    ModelError or SettingsError where it is not there.
    """
    if deployment.kind == "script":
        return ScriptLocation.of(deployment, settings).script, None
    if deployment.model is not None:
        found = locate(deployment.model)
        return (found.root if deployment.model.is_dir() else deployment.model), None
    registered = look_up(settings.model_root, str(deployment.name))
    return registered.path, registered.version
