"""Rollout: changes which deployments get requests, without losing a request.

HTTP processes get the routing table with a new deployment once the deployment is ready. A replaced deployment is
stopped once they have answered its last request.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from server.errors import ServiceError
from server.ipc.parent_pipe import SETTLED
from server.ipc.routing_table import RoutingTable
from server.supervisor.child import Child
from server.supervisor.launcher import Launcher, LaunchError, RunningDeployment, State
from settings.deployments import Plan, read_plan
from settings.errors import SettingsError
from settings.excerpt import excerpt, shortened

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_SETTLED_WITHIN_S = 15.0


class Rollout:
    """Keeps the routing table, sends every change of it to `http_processes`, and passes every new plan to `save`."""

    def __init__(self, launcher: Launcher, plan: Plan, *, named: bool, save: Callable[[Plan], None]) -> None:
        self._launcher = launcher
        self._plan = plan
        self._save = save
        self._change_lock = asyncio.Lock()
        self._settled: dict[Child, int] = {}
        self.http_processes: Sequence[Child] = ()
        self.table = RoutingTable(named=named)

    def start_all(self) -> None:
        """Start all deployments of the plan. Raises LaunchError where one is not valid."""
        for name, spec in self._plan.deployments.items():
            self._launcher.running[name] = self._launcher.start(name, spec)
        self.table = self._next_table()

    async def wait_first_ready(self) -> None:
        """Wait until each deployment is ready or has failed. Raises LaunchError where none with traffic is ready."""
        deployments = list(self._launcher)
        outcomes = await asyncio.gather(
            *(self._launcher.wait_ready(each) for each in deployments), return_exceptions=True
        )
        for deployment, outcome in zip(deployments, outcomes, strict=True):
            if isinstance(outcome, LaunchError):
                logger.error("deployment cannot serve name=%s: %s", deployment.route.name, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        if not any(each.state is State.READY and self._share(each) for each in deployments):
            raise LaunchError("; ".join(each.reason for each in deployments if each.reason))
        if any(each.state is State.FAILED for each in deployments):
            await self._publish()

    def describe(self) -> dict[str, Any]:
        """Return all deployments and their shares, as JSON values."""
        return {
            "deployments": {
                name: deployment.describe()
                | {"traffic": self._plan.traffic.get(name, 0.0), "mirror": self._plan.mirror.get(name, 0.0)}
                for name, deployment in self._launcher.running.items()
            }
        }

    async def put(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Add a deployment, or replace the one of that name by another model or other settings.

        Raises ServiceError `deployment_invalid` or `deployment_failed` with the reason; the one of that name goes on.
        """
        async with self._change_lock:
            specs = {other: spec.model_dump(exclude_none=True) for other, spec in self._plan.deployments.items()}
            plan = self._planned({"deployments": {**specs, name: dict(content)}})
            try:
                deployment = self._launcher.start(name, plan.deployments[name])
            except LaunchError as error:
                raise ServiceError("deployment_invalid", shortened(str(error))) from None
            try:
                await self._launcher.wait_ready(deployment)
            except LaunchError as error:
                await self._launcher.stop(deployment)
                reason = shortened(str(error))
                raise ServiceError("deployment_failed", f"The deployment {name!r} cannot serve: {reason}") from None
            replaced = self._launcher.running.get(name)
            self._launcher.running[name] = deployment
            await self._adopt(plan)
            if replaced is not None:
                await self._launcher.stop(replaced)
            logger.info("deployment started name=%s source=%s replaces=%s", name, deployment.source, bool(replaced))
            return self.describe()

    async def remove(self, name: str) -> dict[str, Any]:
        """Stop a deployment that has no traffic. Raises ServiceError `model_unknown` or `deployment_in_use`."""
        async with self._change_lock:
            deployment = self._running(name)
            if self._share(deployment):
                raise ServiceError(
                    "deployment_in_use",
                    f"The deployment {name!r} gets {self._share(deployment):g} percent of the requests. Give its "
                    "traffic to another one first.",
                )
            plan = self._plan.model_copy(
                update={
                    "deployments": {other: spec for other, spec in self._plan.deployments.items() if other != name},
                    "traffic": {other: share for other, share in self._plan.traffic.items() if other != name},
                    "mirror": {other: share for other, share in self._plan.mirror.items() if other != name},
                }
            )
            del self._launcher.running[name]
            await self._adopt(plan)
            await self._launcher.stop(deployment)
            logger.info("deployment ended name=%s", name)
            return self.describe()

    async def share(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Change the shares: `traffic`, `mirror` or both. Raises ServiceError `deployment_invalid` or `_failed`."""
        async with self._change_lock:
            unknown = sorted(set(content) - {"traffic", "mirror"})
            if unknown:
                raise ServiceError(
                    "deployment_invalid", f"The key {excerpt(unknown[0])} is none of 'traffic' and 'mirror'."
                )
            plan = self._planned(content)
            for name, percent in plan.traffic.items():
                if percent and self._running(name).state is not State.READY:
                    reason = self._running(name).reason or "it is loading"
                    raise ServiceError("deployment_failed", f"The deployment {name!r} cannot serve: {reason}")
            await self._adopt(plan)
            logger.info("traffic changed shares=%s", {name: share for name, share in plan.traffic.items() if share})
            return self.describe()

    def read_line(self, http_process: Child, line: str) -> None:
        """Read a line of an HTTP process: `settled N` says that it uses routing table N and no older one."""
        word, _, number = line.partition(" ")
        if word == SETTLED and number.isdecimal():
            self._settled[http_process] = int(number)

    def _planned(self, content: Mapping[str, Any]) -> Plan:
        try:
            return read_plan({**self._plan.model_dump(exclude_none=True), **content}, "The change")
        except SettingsError as error:
            raise ServiceError("deployment_invalid", str(error)) from None

    def _running(self, name: str) -> RunningDeployment:
        deployment = self._launcher.running.get(name)
        if deployment is None:
            raise ServiceError(
                "model_unknown", f"There is no deployment {excerpt(name)}. Known: {', '.join(self._launcher.running)}."
            )
        return deployment

    def _share(self, deployment: RunningDeployment) -> float:
        return self._plan.traffic.get(deployment.route.name, 0.0)

    async def _adopt(self, plan: Plan) -> None:
        self._plan = plan
        await self._publish()
        self._save(plan)

    async def _publish(self) -> None:
        """Send the next routing table, and wait until no HTTP process uses an older one."""
        self.table = self._next_table()
        for http_process in self.http_processes:
            http_process.send(f"table {self.table.model_dump_json()}")
        end = asyncio.get_running_loop().time() + _SETTLED_WITHIN_S
        while not self._all_settled() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_POLL_S)

    def _all_settled(self) -> bool:
        # a process that is being started again begins with this table
        return all(self._settled.get(each, -1) >= self.table.number for each in self.http_processes if each.alive)

    def _next_table(self) -> RoutingTable:
        serving = {each.route.name: each.route for each in self._launcher if each.state is not State.FAILED}
        return RoutingTable(
            number=self.table.number + 1,
            routes=tuple(serving.values()),
            traffic={name: share for name, share in self._plan.traffic.items() if share and name in serving},
            mirror={name: share for name, share in self._plan.mirror.items() if share and name in serving},
            named=self.table.named,
        )


def plan_saver(file: Path | None) -> Callable[[Plan], None]:
    """Return a function that saves a plan to the file it came from, so that the next start serves the same."""

    def save(plan: Plan) -> None:
        if file is None:
            return
        part = file.with_name(file.name + ".part")
        try:
            part.write_text(plan.model_dump_json(indent=2, exclude_none=True) + "\n")
            part.replace(file)
        except OSError as error:
            logger.error("deployments not saved file=%s: %s", file, error.strerror)

    return save
