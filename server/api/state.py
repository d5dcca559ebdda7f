"""AppState: what the routes of one HTTP process share."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import Request

from server.api.auth import Keys
from server.api.connections.trusted_proxies import TrustedProxies
from server.codecs.bodies_in_flight import BodiesInFlight
from server.inference.deployments import Deployments
from server.inference.shadow import ShadowTraffic
from server.metrics import Metrics
from settings.server import ServerSettings


@dataclass(frozen=True, slots=True)
class AppState:
    """Built once by create_app and handed down. `control` is the address where the supervisor takes commands."""

    settings: ServerSettings
    deployments: Deployments
    keys: Keys
    admin_keys: Keys
    metrics: Metrics
    control: Path
    shadow_traffic: ShadowTraffic
    bodies: BodiesInFlight
    proxies: TrustedProxies

    @classmethod
    def of(cls, request: Request) -> "AppState":
        """Return the state of the application that got `request`."""
        state: AppState = request.app.state.app_state
        return state

    def prefix(self, request: Request) -> str:
        """Return the path prefix that the client of a request sees, without a slash at its end."""
        return self.proxies.prefix(request.scope) or self.settings.root_path
