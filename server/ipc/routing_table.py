"""RoutingTable: which deployments there are and what share of the traffic each gets; from the supervisor to HTTP."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from settings.server import ServerSettings


class Route(BaseModel):
    """A deployment, and the `sockets` at which its engines or the process of its script listen.

    Another model, another script or other settings make another route.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str
    kind: Literal["model", "script"] = "model"
    version: int | None = None
    settings: ServerSettings
    sockets: tuple[Path, ...]


class RoutingTable(BaseModel):
    """All deployments that may be asked. `traffic` and `mirror` are percentages, of those that have any.

    `named` tells whether an operator named the deployments. The name of a server's only model is made up, and clients
    of the hosted endpoint may call it something else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = 0
    routes: tuple[Route, ...] = ()
    traffic: dict[str, float] = {}
    mirror: dict[str, float] = {}
    named: bool = True
