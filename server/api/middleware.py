"""RequestMiddleware: gives every request an id, one log line, metrics, and errors in one form."""

import json
import logging
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.connections.http_connection import REFUSAL
from server.api.request_ids import RequestIds
from server.api.request_log import CLIENT_LEFT, UNKNOWN_ROUTE, RequestLog, add_error
from server.api.routes.allowed_methods import allow_header, options_response
from server.api.state import AppState
from server.errors import ServiceError, internal_error
from server.hosted import RUN_FAILED
from server.protocol_catalog import error_writer
from settings.excerpt import shortened
from settings.version import product_version

logger = logging.getLogger(__name__)

_VERSION = (b"x-ms-server-version", f"sightglass/{product_version()}".encode())
# the codes of errors in a model or script that ran
_RUN_FAILED = frozenset(
    {"scoring_failed", "out_of_memory", "deadline_exceeded", "internal_error"}
    | {"script_failed", "script_timeout", "script_ended"}
)


class RequestMiddleware:
    """The outermost ASGI layer but for CORS. It turns every error into a response."""

    def __init__(self, app: ASGIApp, state: AppState) -> None:
        self._app = app
        self._state = state
        self._log = RequestLog(state.proxies)
        self._root_path = state.settings.root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope; life-cycle events pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, method = time.monotonic(), scope["method"]
        scope = self._routed(scope)
        ids = RequestIds.of(scope["headers"])
        request_id = ids.request_id
        facts: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, facts=facts)
        status = received = 0

        async def receive_on() -> Message:
            nonlocal received
            message = await receive()
            _raise_refusal(scope)
            received += len(message.get("body", b""))
            return message

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *ids.headers(), _VERSION]
                if self._state.deployments.draining:
                    # so that the client's next request does not race against the closing of this connection
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            _raise_refusal(scope)
            ids.check()
            await self._app(scope, receive_on, send_on)
        except ClientDisconnect:
            status = CLIENT_LEFT
        except ServiceError as error:
            add_error(facts, error)
            await error_response(error, request_id, scope["path"])(scope, receive, send_on)
        except Exception:
            logger.exception("an error was not foreseen", extra={"facts": {"request_id": request_id}})
            add_error(facts, internal_error())
            if not status:
                await error_response(internal_error(), request_id, scope["path"])(scope, receive, send_on)
        finally:
            seconds = time.monotonic() - started
            route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)  # not the raw path, which clients can invent
            self._state.metrics.requests.labels(route, str(status), facts.get("deployment", "")).inc()
            self._state.metrics.request_seconds.labels(route).observe(seconds)
            self._log.write(scope, method=method, route=route, status=status, seconds=seconds, received=received)

    def _routed(self, scope: Scope) -> Scope:
        """Return the scope as routes see it: HEAD as GET, and a path without prefix and without a slash at its end.

        The HTTP server keeps the scope with HEAD, and leaves out the body of the response.
        """
        if self._root_path and (scope["path"] + "/").startswith(self._root_path + "/"):
            scope["path"] = scope["path"].removeprefix(self._root_path) or "/"
        path = scope["path"]
        if len(path) > 1 and path[-1] == "/" and path[-2] != "/":
            scope["path"] = path[:-1]
        return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _raise_refusal(scope: Scope) -> None:
    """Raise the ServiceError of a request that the connection could not read to its end."""
    if (refusal := scope["state"].get(REFUSAL)) is not None:
        raise refusal


def error_response(error: ServiceError, request_id: str, path: str) -> Response:
    """Write an error as the protocol of `path` does, with `Retry-After` where a retry may succeed."""
    headers = {RUN_FAILED: str(error.code in _RUN_FAILED)}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    elif error.status == 503:
        headers["retry-after"] = "1"
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    content = (error_writer(path) or _error_object)(error, request_id)
    return Response(content, error.status, headers, "application/json")


def _error_object(error: ServiceError, request_id: str) -> bytes:
    """Write an error in the server's own form: `message`, `code`, `request_id`, and `details` where there are any."""
    content: dict[str, Any] = {"message": error.message, "code": error.code, "request_id": request_id}
    if error.details:
        content["details"] = list(error.details)
    return json.dumps(content).encode()


async def service_error(request: Request, error: Exception) -> Response:
    """Handle a ServiceError raised in a route."""
    assert isinstance(error, ServiceError)
    add_error(request.state.facts, error)
    return error_response(error, request.state.request_id, request.url.path)


async def unforeseen_error(request: Request, error: Exception) -> Response:
    """Answer where a route failed. The framework raises the error again, so that RequestMiddleware logs it."""
    return error_response(internal_error(), request.state.request_id, request.url.path)


async def routing_error(request: Request, error: Exception) -> Response:
    """Handle what the router raises: 404 for an unknown path, 405 for another method; OPTIONS has an answer."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    if method == "OPTIONS" and (error.status_code == 405 or request.scope["path"] == "*"):
        return options_response(request)
    quoted = shortened(path, 200)
    if error.status_code == 405:
        found = ServiceError("method_not_allowed", f"{method} is not allowed for {quoted}. See /docs for what is.")
    elif error.status_code == 404:
        found = ServiceError("not_found", f"There is nothing at {quoted}. Scoring is POST /score; see /docs.")
    else:
        found = ServiceError("internal_error", str(error.detail))
    add_error(request.state.facts, found)
    response = error_response(found, request.state.request_id, path)
    response.headers.update(error.headers or {})
    if allowed := allow_header(request):  # the router names only the methods of one route
        response.headers["allow"] = allowed
    return response
