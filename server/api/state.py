"""AppState: what the routes of one HTTP process share."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from server.api.auth import Keys
from server.errors import ServiceError
from server.inference.deployments import Deployment, Deployments
from server.inference.shadow import ShadowTraffic
from server.metrics import Metrics
from settings.server import ServerSettings


@dataclass(slots=True)
class AppState:
    """Built once by create_app and handed down.

    `draining` turns true, once, when the process is asked to finish. `control` is where the supervisor takes orders.
    """

    settings: ServerSettings
    deployments: Deployments
    keys: Keys
    admin_keys: Keys
    metrics: Metrics
    control: Path
    mirror: ShadowTraffic
    draining: bool = False
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def require_ready(self) -> None:
        """Raise ServiceError unless a score would succeed: `draining` or `engine_unavailable`."""
        self._require_staying()
        if not self.deployments.ready:
            raise ServiceError("engine_unavailable", f"Not ready: {self.deployments.reason}.")

    def ready_deployment(self, name: str, version: str | None = None) -> Deployment:
        """Return the model that a probe names; ServiceError where it would not score, or is none."""
        found = self.deployments.model_named(name, version)
        self._require_staying()
        if not found.engines.ready:
            raise ServiceError("engine_unavailable", f"Not ready: {found.engines.reason}.")
        return found

    def _require_staying(self) -> None:
        if self.draining:
            raise ServiceError("draining", "The server is shutting down and takes no new work.")
