"""Rollout: changes which deployments get requests, without losing a request.

HTTP processes get the routing table with a new deployment once the deployment is ready. A replaced deployment is
stopped once they have answered its last request. A change whose deployment is loading holds up no other change: what
happens between two awaits here is one step, so that changes need no lock.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from server.errors import ServiceError
from server.ipc.routing_table import RoutingTable
from server.supervisor.launcher import Launcher, LaunchError, RunningDeployment, State
from server.supervisor.plan_file import PlanFile
from server.supervisor.table_publisher import TablePublisher
from settings.deployments import Plan, read_plan
from settings.errors import SettingsError
from settings.excerpt import excerpt, shortened

logger = logging.getLogger(__name__)

_REPLY_S = 5.0  # for a reply at the deadline of its request


class Rollout:
    """Changes the deployments by orders, publishes a routing table for every change, and saves every new plan."""

    def __init__(self, launcher: Launcher, plan: Plan, file: PlanFile, publisher: TablePublisher) -> None:
        self._launcher = launcher
        self._plan = plan
        self._file = file
        self._publisher = publisher
        self._loading: dict[str, RunningDeployment] = {}  # by orders, not by the start of the server
        self._tasks: set[asyncio.Task[None]] = set()

    def start_all(self) -> None:
        """Start all deployments of the plan. Raises LaunchError where one is not valid."""
        for name, spec in self._plan.deployments.items():
            self._launcher.running[name] = self._launcher.start(name, spec)
        self._publish()

    async def wait_first_ready(self) -> None:
        """Wait until each deployment is ready or has failed. Raises LaunchError once all with traffic have failed."""
        await asyncio.gather(*(self._wait_first_ready(each) for each in list(self._launcher)))

    async def _wait_first_ready(self, deployment: RunningDeployment) -> None:
        try:
            await self._launcher.wait_ready(deployment)
        except LaunchError as error:
            if self._launcher.running.get(deployment.route.name) is not deployment:
                return  # an order has replaced or removed it
            logger.error("deployment cannot serve name=%s: %s", deployment.route.name, error)
            self._publish()
            await self._launcher.stop(deployment)
            reasons = [each.reason for each in self._launcher if self._share(each) and each.state is State.FAILED]
            if len(reasons) == sum(self._share(each) > 0 for each in self._launcher):
                raise LaunchError("; ".join(reasons)) from None

    def describe(self) -> dict[str, Any]:
        """Return all deployments and their shares, as JSON values."""
        described = {
            name: deployment.describe()
            | {"traffic": self._plan.traffic.get(name, 0.0), "mirror": self._plan.mirror.get(name, 0.0)}
            for name, deployment in self._launcher.running.items()
        }
        for name, deployment in self._loading.items():
            if name in described:
                described[name]["replacement"] = deployment.describe()
            else:
                described[name] = deployment.describe() | {"traffic": 0.0, "mirror": 0.0}
        return {"deployments": described} | ({"unsaved": self._file.unsaved} if self._file.unsaved else {})

    async def put(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Add a deployment, or replace the one of that name by another model or other settings.

        Raises ServiceError `deployment_invalid` or `deployment_failed` with the reason; the one of that name goes on.
        """
        plan = self._with_deployment(name, content)
        try:
            deployment = self._launcher.start(name, plan.deployments[name])
        except LaunchError as error:
            raise ServiceError("deployment_invalid", shortened(str(error))) from None
        if name in self._loading:
            self._give_up(name, "a later order of this name came while it was loading")
        self._loading[name] = deployment
        try:
            await self._launcher.wait_ready(deployment)
        except LaunchError as error:
            self._loading = {other: each for other, each in self._loading.items() if each is not deployment}
            await self._launcher.stop(deployment)
            raise _cannot_serve(name, str(error)) from None
        if self._loading.get(name) is not deployment:  # it was given up at the moment when it became ready
            raise _cannot_serve(name, deployment.reason)
        del self._loading[name]
        plan = self._with_deployment(name, content)  # again, since other changes may have come meanwhile
        replaced = self._launcher.running.get(name)
        self._launcher.running[name] = deployment
        logger.info("deployment ready name=%s source=%s replaces=%s", name, deployment.source, bool(replaced))
        return await self._adopt(plan, replaced)

    async def remove(self, name: str) -> dict[str, Any]:
        """Give up the deployment of that name that is loading; or else stop one that has no traffic.

        Raises ServiceError `model_unknown` or `deployment_in_use`.
        """
        if name in self._loading:
            self._give_up(name, "an order to remove it came while it was loading")
            return self.describe()
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
        logger.info("deployment removed name=%s", name)
        return await self._adopt(plan, deployment)

    async def share(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Change the shares: `traffic`, `mirror` or both. Raises ServiceError `deployment_invalid` or `_failed`."""
        unknown = sorted(set(content) - {"traffic", "mirror"})
        if unknown:
            raise ServiceError(
                "deployment_invalid", f"The key {excerpt(unknown[0])} is none of 'traffic' and 'mirror'."
            )
        plan = self._planned(content)
        for name, percent in plan.traffic.items():
            if percent and self._running(name).state is not State.READY:
                raise _cannot_serve(name, self._running(name).reason or "it is loading")
        logger.info("traffic changed shares=%s", {name: share for name, share in plan.traffic.items() if share})
        return await self._adopt(plan)

    def give_up_loading(self) -> None:
        """Give up all that is loading, so that nobody waits for it."""
        for name in list(self._loading):
            self._give_up(name, "the server is shutting down")

    async def close(self) -> None:
        """Stop all deployments."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._launcher.stop_all()

    def _give_up(self, name: str, reason: str) -> None:
        """Stop a deployment that is loading, and fail the order that it is for."""
        deployment = self._loading.pop(name)
        deployment.reason = reason
        self._spawn(self._launcher.stop(deployment))

    def _with_deployment(self, name: str, content: Mapping[str, Any]) -> Plan:
        specs = {other: spec.model_dump(exclude_none=True) for other, spec in self._plan.deployments.items()}
        return self._planned({"deployments": {**specs, name: dict(content)}})

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

    async def _adopt(self, plan: Plan, replaced: RunningDeployment | None = None) -> dict[str, Any]:
        """Publish and save a plan, and stop what it replaces after its last reply. Returns the new description.

        It does not wait for that reply, which may take as long as a request may: the change is in effect before.
        """
        self._plan = plan
        number = self._publish()
        self._file.save(plan)
        if replaced is not None:
            self._spawn(self._stop_after_last_reply(replaced, number))
        await self._publisher.wait_followed(number)
        return self.describe()

    async def _stop_after_last_reply(self, deployment: RunningDeployment, number: int) -> None:
        await self._publisher.wait_followed(number)
        await self._publisher.wait_answered(number, deployment.route.settings.request_timeout_ms / 1000 + _REPLY_S)
        await self._launcher.stop(deployment)
        logger.info("deployment ended name=%s source=%s", deployment.route.name, deployment.source)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # event loops keep no reference of their own
        task.add_done_callback(self._tasks.discard)

    def _publish(self) -> int:
        serving = {each.route.name: each.route for each in self._launcher if each.state is not State.FAILED}
        return self._publisher.publish(
            RoutingTable(
                routes=tuple(serving.values()),
                traffic={name: share for name, share in self._plan.traffic.items() if share and name in serving},
                mirror={name: share for name, share in self._plan.mirror.items() if share and name in serving},
            )
        )


def _cannot_serve(name: str, reason: str) -> ServiceError:
    return ServiceError("deployment_failed", f"The deployment {name!r} cannot serve: {shortened(reason)}")
