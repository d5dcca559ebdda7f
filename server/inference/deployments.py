"""Deployments: the models and scripts behind an HTTP process, and the choice of the one that a request goes to."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence

from server.errors import ServiceError
from server.ipc.model_facts import ModelFacts
from server.ipc.pool import EnginePool
from server.ipc.routing_table import Route, RoutingTable
from settings.excerpt import excerpt
from settings.expectation import did_you_mean

_CONNECTED_WITHIN_S = 10.0
_POLL_S = 0.01


class Deployment:
    """One model with its engines, or one script with its process.

    `credit` is the share of traffic that it has not had yet, as `Deployments.choose` counts it. `open_requests` counts
    the requests that it was chosen for and that have no response yet.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.name = route.name
        self.settings = route.settings
        self.engines = EnginePool(route.sockets)
        self.credit = 0.0
        self.open_requests = 0

    @property
    def model(self) -> ModelFacts:
        """The facts of its model, as its engines give them."""
        return self.engines.model

    @property
    def busy(self) -> bool:
        """Whether any request has no response yet, copies of shadow traffic and bodies still on their way included."""
        return self.open_requests > 0 or self.engines.busy


class Deployments:
    """The deployments of a routing table, which `update` replaces. To be used on one event loop.

    `draining` turns true once the process has to finish: readiness probes fail from then on.
    """

    def __init__(self, table: RoutingTable) -> None:
        self.draining = False
        self._table = table
        self._by_name = {route.name: Deployment(route) for route in table.routes}

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self._by_name.values())

    @property
    def ready(self) -> bool:
        """Whether a request that names no deployment would be scored now."""
        return any(deployment.engines.ready for deployment in self._in_traffic())

    @property
    def accepts(self) -> bool:
        """Whether such a request would be let in, too: what the readiness probe tells."""
        return self.ready and not self.draining

    @property
    def reason(self) -> str:
        """Why `ready` is false."""
        return "; ".join(deployment.engines.reason for deployment in self._in_traffic()) or "there is no model"

    @property
    def heeds_names(self) -> bool:
        """Whether a request goes to the deployment that its header names."""
        return self._table.named

    @property
    def traffic(self) -> Mapping[str, float]:
        """The percentage of requests that each deployment gets which has a share."""
        return self._table.traffic

    def connect(self) -> None:
        """Connect to all engines in the background, and reconnect whenever a connection breaks."""
        for deployment in self:
            deployment.engines.connect()

    def close(self) -> None:
        """Drop all connections, and with them all work in flight."""
        for deployment in self:
            deployment.engines.close()

    @property
    def models(self) -> Sequence[Deployment]:
        """The deployments that are models, and not scripts."""
        return [deployment for deployment in self if deployment.route.kind == "model"]

    def named(self, name: str, version: str | None = None) -> Deployment:
        """Return the deployment that a path names; ServiceError `model_unknown` where there is none."""
        found = self._by_name.get(name)
        if found is None:
            known = ", ".join(self._by_name) or "none"
            raise ServiceError(
                "model_unknown",
                f"There is no model {excerpt(name)}. Known: {known}.{did_you_mean(name, self._by_name)}",
            )
        if version is not None and version != str(found.route.version or 1):
            raise ServiceError(
                "model_unknown",
                f"The model {name!r} has the version {found.route.version or 1}, not {excerpt(version)}.",
            )
        return found

    def model_named(self, name: str, version: str | None = None) -> Deployment:
        """Return the model that a path names; ServiceError `deployment_is_script` where it is none."""
        found = self.named(name, version)
        if found.route.kind == "script":
            raise script_error(found)
        return found

    def require_ready(self) -> None:
        """Raise ServiceError unless a request would be scored now: `draining` or `engine_unavailable`."""
        self._refuse_if_draining()
        if not self.ready:
            raise ServiceError("engine_unavailable", f"Not ready: {self.reason}.")

    def ready_model(self, name: str, version: str | None = None) -> Deployment:
        """Return the model that a probe names; ServiceError where there is none, or it would not score now."""
        found = self.model_named(name, version)
        self._refuse_if_draining()
        if not found.engines.ready:
            raise ServiceError("engine_unavailable", f"Not ready: {found.engines.reason}.")
        return found

    def _refuse_if_draining(self) -> None:
        if self.draining:
            raise ServiceError("draining", "The server is shutting down and takes no new work.")

    def choose(self, name: str | None) -> Deployment:
        """Return the deployment that a header names, or else one by the shares of traffic, of those that are ready.

        The choice is a smooth weighted round robin: any few requests in a row are as close to the percentages as whole
        requests can be. ServiceError `model_unknown` or `engine_unavailable`.
        """
        if name and self._table.named:
            return self.named(name)
        candidates = self._in_traffic()
        if len(candidates) == 1:
            return candidates[0]
        available = [deployment for deployment in candidates if deployment.engines.ready] or candidates
        if not available:
            raise ServiceError("engine_unavailable", "No model can score now: none has any traffic.")
        shares = self._table.traffic
        for deployment in available:
            deployment.credit += shares[deployment.name]
        chosen = max(available, key=lambda deployment: deployment.credit)
        chosen.credit -= sum(shares[deployment.name] for deployment in available)
        return chosen

    def shadow_percentages(self) -> Mapping[str, float]:
        """Return each shadow deployment's percentage: of that share of all requests it gets a copy."""
        return self._table.mirror

    async def update(self, table: RoutingTable) -> Sequence[Deployment]:
        """Replace the table once its new deployments are ready, or after 10 s; returns those that get no more requests.

        A deployment that is not ready by then gets requests once it is, as at the start.
        """
        kept = {name: known for name, known in self._by_name.items() if known.route in table.routes}
        new = [Deployment(route) for route in table.routes if route.name not in kept]
        for deployment in new:
            deployment.engines.connect()
        end = time.monotonic() + _CONNECTED_WITHIN_S
        while not all(deployment.engines.ready for deployment in new) and time.monotonic() < end:
            await asyncio.sleep(_POLL_S)
        retired = [known for known in self if known.name not in kept]
        by_name = kept | {deployment.name: deployment for deployment in new}
        self._by_name = {route.name: by_name[route.name] for route in table.routes}
        self._table = table
        return retired

    def _in_traffic(self) -> list[Deployment]:
        return [deployment for deployment in self if self._table.traffic.get(deployment.name, 0.0) > 0]


def script_error(deployment: Deployment) -> ServiceError:
    """Return the error for a request to a script where only models can respond."""
    message = f"The deployment {deployment.name!r} is a script. Ask it at /score, in whatever form it expects."
    return ServiceError("deployment_is_script", message)
