"""Rows of a routing table."""

from pathlib import Path

from server.ipc.routing_table import Route
from settings.server import ServerSettings


def route(name: str, version: int | None = None) -> Route:
    return Route(name=name, version=version, settings=ServerSettings(), sockets=(Path("/none"),))
