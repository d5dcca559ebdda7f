"""Context: what the routes of one HTTP process share."""

from dataclasses import dataclass

from server.auth import Keys
from server.engine.client import EnginePool
from server.metrics import Metrics
from settings.server import ServerSettings


@dataclass(slots=True)
class Context:
    """Built once by create_app and handed down. `draining` turns true, once, when the process is asked to finish."""

    settings: ServerSettings
    engines: EnginePool
    keys: Keys
    metrics: Metrics
    draining: bool = False
