"""RoutingTable: the deployments and their shares of traffic, which the supervisor sends to HTTP processes."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from settings.server import ServerSettings


class Route(BaseModel):
    """A deployment, and the `sockets` of its engines or of the process of its script.

    A deployment that gets another model, another script or other settings gets another route.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str
    kind: Literal["model", "script"] = "model"
    version: int | None = None
    settings: ServerSettings
    sockets: tuple[Path, ...]


class RoutingTable(BaseModel):
    """All deployments that can answer requests. `traffic` and `mirror` are percentages of those that have a share.

    `named` says whether an operator named the deployments. The server derives the name of its only model itself, and
    clients of the hosted endpoint may use another name for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = 0
    routes: tuple[Route, ...] = ()
    traffic: dict[str, float] = {}
    mirror: dict[str, float] = {}
    named: bool = True
