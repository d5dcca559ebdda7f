"""FastPath: calls the scoring routes directly, past the layers that FastAPI puts around all routes."""

from collections.abc import Sequence

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send


class FastPath:
    """Calls the endpoints of `routes` directly, which saves half a millisecond a request.

    All else goes to `app`: other paths, other methods on the same paths, and routes whose paths have parameters. The
    endpoints have to take a request and return a response, without dependencies.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, APIRoute) and "{" not in route.path
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["app"], scope["route"] = self._app, route
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
