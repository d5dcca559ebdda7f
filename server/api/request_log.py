"""RequestLog: one line for each request, bounded in size, with what a client and its operator look for."""

import logging
from typing import Any

from starlette.types import Scope

from server.api.connections.trusted_proxies import TrustedProxies
from server.errors import ServiceError
from server.hosted import SCORE
from settings.excerpt import shortened

logger = logging.getLogger("server.request")

UNKNOWN_ROUTE = "none"
CLIENT_LEFT = 499  # a status for the log and metrics alone: the client is gone
REFUSED_ORIGIN = "refused_origin"  # the fact of a request
# of clients, who could fill a disk with them
_LONGEST_AGENT = 100
_LONGEST_PATH = 200
_LONGEST_ERROR = 200
_NOT_READY = 503
# routes that somebody asks every few seconds, whose answer is no failure of a request
PROBES = frozenset(
    {"/", "/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"}
    | {"/ui/state", "/v1/models/{model}", "/v2/models/{model}/ready", "/v2/models/{model}/versions/{version}/ready"}
)


class RequestLog:
    """Writes scored, refused and failed requests at level info, and probes and all others at level debug."""

    def __init__(self, proxies: TrustedProxies) -> None:
        self._proxies = proxies

    def write(self, scope: Scope, *, method: str, route: str, status: int, seconds: float, received: int) -> None:
        """Write the line of a request, with the facts in its scope's state. `received`: bytes of its body, so far."""
        facts: dict[str, Any] = scope["state"]["facts"]
        failed = (status >= 400 or not status) and not (status == _NOT_READY and route in PROBES)
        told = failed or "deployment" in facts or REFUSED_ORIGIN in facts or route == SCORE
        level = logging.INFO if told else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        agent, announced = _read_headers(scope)
        line: dict[str, Any] = {"status": status, "method": method, "route": route}
        if route == UNKNOWN_ROUTE and scope["path"]:
            line["path"] = shortened(scope["path"], _LONGEST_PATH)
        line["ms"], line["client"], line["agent"] = round(1000 * seconds, 1), self._proxies.client(scope), agent
        line["bytes"] = max(received, announced)
        line.update(facts)
        line["request_id"] = scope["state"]["request_id"]
        logger.log(level, "request", extra={"facts": line})


def add_error(facts: dict[str, Any], error: ServiceError) -> None:
    """Add the code and message of an error to the facts of a request's line."""
    facts["code"], facts["error"] = error.code, shortened(error.message, _LONGEST_ERROR)


def _read_headers(scope: Scope) -> tuple[str, int]:
    """Return the user agent, shortened, and the announced size of the body."""
    agent, announced = "-", 0
    for name, value in scope["headers"]:
        if name == b"user-agent":
            agent = shortened(value.decode("latin-1"), _LONGEST_AGENT)
        elif name == b"content-length" and value.isdigit() and len(value) < 19:
            announced = int(value)
    return agent, announced
