"""Rollout: which deployments get requests, changed without losing one.

Whatever is new is ready before HTTP processes are told of it; whatever is replaced ends after they have answered the
last request that it had.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from server.errors import ServiceError
from server.ipc.routing_table import RoutingTable
from server.supervisor.child import Child
from server.supervisor.launcher import Launcher, LaunchError, RunningDeployment, State
from settings.deployments import Plan, read_plan
from settings.errors import SettingsError
from settings.excerpt import excerpt, shortened

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_KNOWN_WITHIN_S = 15.0


class Rollout:
    """Keeps the table of a fleet, tells `clients`, the HTTP processes, of every change, and `save` of every plan."""

    def __init__(self, fleet: Launcher, plan: Plan, *, named: bool, save: Callable[[Plan], None]) -> None:
        self._fleet = fleet
        self._plan = plan
        self._save = save
        self._changing = asyncio.Lock()
        self._known: dict[tuple[Child, str], int] = {}
        self.clients: Sequence[Child] = ()
        self.table = RoutingTable(named=named)

    def muster(self) -> None:
        """Start all deployments of the plan; LaunchError where one cannot be started at all."""
        for name, deployment in self._plan.deployments.items():
            self._fleet.members[name] = self._fleet.recruit(name, deployment)
        self.table = self._drawn_up()

    async def first_warm(self) -> None:
        """Wait for each of them, and go on without those that fail; LaunchError where none is left with traffic."""
        members = list(self._fleet)
        outcomes = await asyncio.gather(*(self._fleet.warm(member) for member in members), return_exceptions=True)
        for member, outcome in zip(members, outcomes, strict=True):
            if isinstance(outcome, LaunchError):
                logger.error("a deployment cannot serve name=%s: %s", member.route.name, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        if not any(member.state is State.READY and self._share(member) for member in members):
            raise LaunchError("; ".join(member.reason for member in members if member.reason))
        if any(member.state is State.FAILED for member in members):
            await self._tell()

    def describe(self) -> dict[str, Any]:
        """Return all deployments and their shares, as JSON values."""
        return {
            "deployments": {
                name: member.describe()
                | {"traffic": self._plan.traffic.get(name, 0.0), "mirror": self._plan.mirror.get(name, 0.0)}
                for name, member in self._fleet.members.items()
            }
        }

    async def put(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Add a deployment, or have another model or other settings take the place of one of that name.

        ServiceError `deployment_invalid` or `deployment_failed` with the reason; what was there before goes on then.
        """
        async with self._changing:
            deployments = {known: one.model_dump(exclude_none=True) for known, one in self._plan.deployments.items()}
            plan = self._planned({"deployments": {**deployments, name: dict(content)}})
            try:
                member = self._fleet.recruit(name, plan.deployments[name])
            except LaunchError as error:
                raise ServiceError("deployment_invalid", shortened(str(error))) from None
            try:
                await self._fleet.warm(member)
            except LaunchError as error:
                await self._fleet.dismiss(member)
                reason = shortened(str(error))
                raise ServiceError("deployment_failed", f"The deployment {name!r} cannot serve: {reason}") from None
            before = self._fleet.members.get(name)
            self._fleet.members[name] = member
            await self._adopt(plan)
            if before is not None:
                await self._fleet.dismiss(before)
            logger.info("deployment started name=%s folder=%s replaced=%s", name, member.folder, before is not None)
            return self.describe()

    async def remove(self, name: str) -> dict[str, Any]:
        """End a deployment that has no traffic; ServiceError `model_unknown` or `deployment_in_use`."""
        async with self._changing:
            member = self._member(name)
            if self._share(member):
                raise ServiceError(
                    "deployment_in_use",
                    f"The deployment {name!r} gets {self._share(member):g} percent of the requests. Give its traffic "
                    "to another one first.",
                )
            plan = self._plan.model_copy(
                update={
                    "deployments": {known: one for known, one in self._plan.deployments.items() if known != name},
                    "traffic": {known: share for known, share in self._plan.traffic.items() if known != name},
                    "mirror": {known: share for known, share in self._plan.mirror.items() if known != name},
                }
            )
            del self._fleet.members[name]
            await self._adopt(plan)
            await self._fleet.dismiss(member)
            logger.info("deployment ended name=%s", name)
            return self.describe()

    async def share(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Share requests otherwise: `traffic`, `mirror` or both; ServiceError `deployment_invalid` or `_failed`."""
        async with self._changing:
            unknown = sorted(set(content) - {"traffic", "mirror"})
            if unknown:
                raise ServiceError(
                    "deployment_invalid", f"The key {excerpt(unknown[0])} is none of 'traffic' and 'mirror'."
                )
            plan = self._planned(content)
            for name, percent in plan.traffic.items():
                if percent and self._member(name).state is not State.READY:
                    reason = self._member(name).reason or "it is loading"
                    raise ServiceError("deployment_failed", f"The deployment {name!r} cannot serve: {reason}")
            await self._adopt(plan)
            logger.info("traffic shared %s", {name: share for name, share in plan.traffic.items() if share})
            return self.describe()

    def hear(self, client: Child, line: str) -> None:
        """Note how far an HTTP process has got with a table: `knows N` or `settled N`."""
        word, _, number = line.partition(" ")
        if number.isdecimal():
            self._known[client, word] = int(number)

    def _planned(self, content: Mapping[str, Any]) -> Plan:
        try:
            return read_plan({**self._plan.model_dump(exclude_none=True), **content}, "The change")
        except SettingsError as error:
            raise ServiceError("deployment_invalid", str(error)) from None

    def _member(self, name: str) -> RunningDeployment:
        member = self._fleet.members.get(name)
        if member is None:
            raise ServiceError(
                "model_unknown", f"There is no deployment {excerpt(name)}. Known: {', '.join(self._fleet.members)}."
            )
        return member

    def _share(self, member: RunningDeployment) -> float:
        return self._plan.traffic.get(member.route.name, 0.0)

    async def _adopt(self, plan: Plan) -> None:
        self._plan = plan
        await self._tell()
        self._save(plan)

    async def _tell(self) -> None:
        """Draw up the table, and wait until nobody goes by an older one."""
        self.table = self._drawn_up()
        for client in self.clients:
            client.say(f"table {self.table.model_dump_json()}")
        end = asyncio.get_running_loop().time() + _KNOWN_WITHIN_S
        while not self._settled() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(_POLL_S)

    def _settled(self) -> bool:
        # one that is being started again will begin with this table
        alive = [each for each in self.clients if each.process is not None and each.process.returncode is None]
        return all(self._known.get((each, "settled"), -1) >= self.table.number for each in alive)

    def _drawn_up(self) -> RoutingTable:
        able = {member.route.name: member.route for member in self._fleet if member.state is not State.FAILED}
        return RoutingTable(
            number=self.table.number + 1,
            routes=tuple(able.values()),
            traffic={name: share for name, share in self._plan.traffic.items() if share and name in able},
            mirror={name: share for name, share in self._plan.mirror.items() if share and name in able},
            named=self.table.named,
        )


def saver(file: Path | None) -> Callable[[Plan], None]:
    """Return what keeps a plan in the file it came from, so that the next start comes up the same."""

    def save(plan: Plan) -> None:
        if file is None:
            return
        part = file.with_name(file.name + ".part")
        try:
            part.write_text(plan.model_dump_json(indent=2, exclude_none=True) + "\n")
            part.replace(file)
        except OSError as error:
            logger.error("the deployments are not saved file=%s: %s", file, error.strerror)

    return save
