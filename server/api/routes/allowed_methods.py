"""The methods of each path: for the header Allow, and for OPTIONS, which any client and proxy may ask."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from fastapi import Request, Response
from starlette.routing import BaseRoute, Route

from server.api.request_log import REFUSED_ORIGIN
from server.hosted import RUN_FAILED
from settings.excerpt import shortened

_LONGEST_ORIGIN = 100


def methods_by_path(routes: Iterable[BaseRoute]) -> Mapping[str, set[str]]:
    """Return the methods of each path. Where there is GET, RequestMiddleware lets HEAD pass as GET."""
    methods: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for route in (route for route in routes if isinstance(route, Route)):
        methods[route.path] |= set(route.methods or ()) | ({"HEAD"} if "GET" in (route.methods or ()) else set())
    return dict(methods)


def allow_header(request: Request) -> str:
    """Return the methods of the path of a request, as the header Allow has them: those of all paths for `*`."""
    methods: Mapping[str, set[str]] = request.app.state.methods
    path: str = request.scope["path"]
    if path == "*":
        return ", ".join(sorted(set().union(*methods.values())))
    return ", ".join(sorted(methods.get(getattr(request.scope.get("route"), "path", path), ())))


def options_response(request: Request) -> Response:
    """Answer OPTIONS as the hosted endpoint does: without a key, with no body, and with the methods of the path.

    Where a browser asks for a page of an origin that is not allowed, the log line of the request names the origin.
    """
    if "access-control-request-method" in request.headers:
        request.state.facts[REFUSED_ORIGIN] = shortened(request.headers.get("origin", ""), _LONGEST_ORIGIN)
    return Response(headers={"allow": allow_header(request), RUN_FAILED: "False"}, media_type="text/html")
