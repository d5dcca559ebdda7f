"""Launcher: starts and stops the engine or script processes behind each deployment."""

import asyncio
import itertools
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.folder.layout import locate as locate_folder
from models.folder.registry import look_up
from server.ipc.parent_pipe import hang_limit_s
from server.ipc.process_config import ProcessConfig
from server.ipc.routing_table import Route
from server.scripts.location import ScriptLocation
from server.supervisor.child import Child, ChildError, child_environment
from settings.deployments import DeploymentSpec, own_settings
from settings.errors import SettingsError
from settings.module_command import module_command
from settings.server import ServerSettings

ENGINE_COMMAND = module_command("server.engine")
SCRIPT_COMMAND = module_command("server.scripts")

# glibc returns large blocks to the kernel after each batch and pages them in again for the next one. With these
# variables it keeps them, and the forward pass is up to three times as fast: docs/measurements/allocator.md.
ENGINE_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    # PyTorch's threads wait for each other without sleeping for at most about half a millisecond, not three. On cores
    # that others use too, a thread that waits longer would only keep the core from the one that it waits for.
    "GOMP_SPINCOUNT": "20000",
}
_ENGINE_ENDS_WITHIN_S = 5.0
_SCRIPT_FAILS_WITHIN_S = 10.0  # after the time to get ready


class State(StrEnum):
    """The state of a deployment. Only a deployment that is or was READY may get requests."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class LaunchError(Exception):
    """A deployment cannot be started. The text says why."""


@dataclass(slots=True, eq=False)
class RunningDeployment:
    """A deployment and its processes. `route` is its entry in the routing table, `reason` says why it FAILED.

    `source` is the folder of its model or the file of its script. A script has one process in place of engines.
    """

    spec: DeploymentSpec
    source: Path
    route: Route
    engines: Sequence[Child]
    state: State = State.LOADING
    reason: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the facts for operators, as JSON values."""
        return {
            self.route.kind: str(self.source),
            "registered": self.spec.name,
            "version": self.route.version,
            "settings": self.spec.settings,
            "state": self.state,
            "reason": self.reason,
            "engines": len(self.engines),
        }


class Launcher:
    """Starts and stops deployments. The rollout decides which of them get requests.

    `folder` holds the sockets and locks of all processes, `command` starts an engine, and `ended` is called for each
    process that ended by itself.
    """

    def __init__(
        self, settings: ServerSettings, folder: Path, command: Sequence[str], ended: Callable[[Child, int], None]
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._command = command
        self._ended = ended
        self._numbers = itertools.count()
        self._started: set[RunningDeployment] = set()  # and not stopped: running, loading, or with requests left
        self.running: dict[str, RunningDeployment] = {}

    def __iter__(self) -> Iterator[RunningDeployment]:
        return iter(self.running.values())

    def start(self, name: str, spec: DeploymentSpec) -> RunningDeployment:
        """Start the processes of a deployment, beside those that run. Raises LaunchError where it is not valid."""
        try:
            settings = own_settings(self._settings, spec, f"deployment {name!r}")
            source, version = locate(settings, spec)
        except (SettingsError, ModelError, OSError) as error:  # OSError: a path may be too long for the system
            raise LaunchError(str(error)) from None
        number = next(self._numbers)
        count = 1 if spec.kind == "script" else len(settings.device)
        sockets = tuple(self._folder / f"engine-{number}-{index}.sock" for index in range(count))
        route = Route(name=name, kind=spec.kind, version=version, settings=settings, sockets=sockets)
        engines = [self._script(spec, route)] if spec.kind == "script" else self._engines(source, route)
        for engine in engines:
            engine.start()
        deployment = RunningDeployment(spec, source, route, engines)
        self._started.add(deployment)
        return deployment

    def _engines(self, folder: Path, route: Route) -> list[Child]:
        config = partial(
            ProcessConfig, settings=route.settings, deployment=route.name, folder=folder, lock_folder=self._folder
        )
        return [
            Child(
                "engine",
                self._command,
                partial(config, device=device, engine=index, address=socket),
                ENGINE_ENVIRONMENT,
                ended=self._ended,
                silence_s=hang_limit_s(route.settings),
                ready_within_s=route.settings.start_timeout_ms / 1000,
            )
            for index, (device, socket) in enumerate(zip(route.settings.device, route.sockets, strict=True))
        ]

    def _script(self, spec: DeploymentSpec, route: Route) -> Child:
        (address,) = route.sockets
        config = partial(ProcessConfig, settings=route.settings, deployment=route.name, script=spec, address=address)
        # its pool gives up first, and knows more about the reason
        ready_within_s = route.settings.start_timeout_ms / 1000 + _SCRIPT_FAILS_WITHIN_S
        return Child("script", SCRIPT_COMMAND, config, ended=self._ended, ready_within_s=ready_within_s)

    async def wait_ready(self, deployment: RunningDeployment) -> None:
        """Wait until a deployment is ready to score. Raises LaunchError with the reason where it never will be."""
        try:
            await asyncio.gather(*(engine.ready() for engine in deployment.engines))
        except ChildError as error:
            deployment.state, deployment.reason = State.FAILED, deployment.reason or str(error)
            raise LaunchError(deployment.reason) from None
        deployment.state = State.READY

    async def stop(self, deployment: RunningDeployment) -> None:
        """Stop the processes of a deployment. The caller makes sure that they have no requests left."""
        for engine in deployment.engines:
            engine.request_stop()
        await asyncio.gather(*(engine.wait_stopped(_ENGINE_ENDS_WITHIN_S) for engine in deployment.engines))
        for socket in deployment.route.sockets:
            for path in self._folder.glob(f"{socket.stem}.*"):  # those of its decode workers too
                path.unlink(missing_ok=True)
        self._started.discard(deployment)

    async def stop_all(self) -> None:
        """Stop all deployments, those that are loading and those that were replaced included."""
        await asyncio.gather(*map(self.stop, self._started))


def check_model(config: ProcessConfig, engine_command: Sequence[str] = ENGINE_COMMAND) -> int:
    """Run the dry run of an engine in a process of its own, which prints a report. Returns its exit code."""
    done = subprocess.run(
        [*engine_command, "--check"],
        input=config.model_dump_json() + "\n",
        env=child_environment(ENGINE_ENVIRONMENT),
        text=True,
        check=False,
    )
    return done.returncode


def locate(settings: ServerSettings, spec: DeploymentSpec) -> tuple[Path, int | None]:
    """Return the folder of a deployment's model or the file of its script, and the version of a registered model.

    Raises ModelError or SettingsError where it does not exist.
    """
    if spec.kind == "script":
        return ScriptLocation.of(spec, settings).script, None
    if spec.model is not None:
        folder = locate_folder(spec.model)
        return (folder.root if spec.model.is_dir() else spec.model), None
    registered = look_up(settings.model_root, str(spec.name))
    return registered.path, registered.version
