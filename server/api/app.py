"""create_app: wires everything that an HTTP process needs."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from server.api.auth import Keys
from server.api.connections.trusted_proxies import TrustedProxies
from server.api.fast_path import FastPath
from server.api.middleware import RequestMiddleware, routing_error, service_error, unforeseen_error
from server.api.routes import admin, description, health, scoring
from server.api.routes import hosted as hosted_routes
from server.api.routes import page as page_routes
from server.api.routes.allowed_methods import methods_by_path
from server.api.state import AppState
from server.codecs.bodies_in_flight import BodiesInFlight
from server.errors import ServiceError
from server.inference.deployments import Deployments
from server.inference.shadow import ShadowTraffic
from server.ipc.routing_table import RoutingTable
from server.metrics import Metrics, ServiceState, exposition
from server.openapi import page
from server.openapi.components import collect_components
from server.openapi.keys import add_keys
from server.openapi.predictions import ERRORS, add_errors
from server.process_metrics import ProcessMetrics
from server.protocol_catalog import PROTOCOLS
from settings.server import ServerSettings

# of the largest size, at the same time in one process
_BODIES_IN_FLIGHT = 4

metrics_router = APIRouter(tags=["operation"])


@metrics_router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Return the metrics of all processes in Prometheus' text format."""
    state = AppState.of(request)
    for keys in (state.keys, state.admin_keys):
        keys.refresh()
    deployments = state.deployments
    ready = {deployment.name: deployment.engines.ready for deployment in deployments}
    service = ServiceState(deployments.accepts, ready)
    text = await run_in_threadpool(exposition, service, ProcessMetrics(os.getppid()))
    return Response(text, media_type="text/plain; version=1.0.0; charset=utf-8")


class _Application(FastAPI):
    """FastAPI whose description of the API includes the keys that operations need."""

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API, built once."""
        if self.openapi_schema is None:
            settings: ServerSettings = self.state.app_state.settings
            description = super().openapi()
            add_errors(description)
            collect_components(description)
            add_keys(description, scoring_key_required=settings.keys_file is not None)
        assert self.openapi_schema is not None
        return self.openapi_schema


class _Cors(CORSMiddleware):
    """Answers browsers that ask whether they may send a request. Where they may not, that is an OPTIONS like any."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        headers = Headers(scope=scope) if scope["type"] == "http" and scope["method"] == "OPTIONS" else Headers()
        asks = "origin" in headers and "access-control-request-method" in headers
        refused = asks and self.preflight_response(headers).status_code >= 400
        await (self.app if refused else super().__call__)(scope, receive, send)


def create_routers() -> Sequence[APIRouter]:
    """Return all routers: first that of POST on the scoring paths; their order is that of the list in the docs."""
    of_protocols = [protocol.router for protocol in PROTOCOLS if protocol.router is not None]
    return [scoring.create_router(), hosted_routes.router, *of_protocols, health.router, metrics_router, admin.router]


def create_app(
    settings: ServerSettings, table: RoutingTable, control: Path, started: Callable[[AppState], Awaitable[None]]
) -> ASGIApp:
    """Build the ASGI application of one HTTP process, which serves the deployments of `table`.

    `control` is the socket where the supervisor takes commands. `started` is awaited with the state once the event loop
    runs.
    """
    deployments, metrics = Deployments(table), Metrics()
    state = AppState(
        settings,
        deployments,
        Keys(settings.keys_file, metrics.keys_stale.labels("scoring")),
        Keys(settings.admin_keys_file, metrics.keys_stale.labels("admin")),
        metrics,
        control,
        ShadowTraffic(deployments, metrics),
        BodiesInFlight(_BODIES_IN_FLIGHT * settings.max_body_bytes),
        TrustedProxies(settings.forwarded_allow_ips),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state.deployments.connect()
        await started(state)
        yield
        state.deployments.close()

    app = _Application(
        title="Sightglass",
        description="Online scoring of image models.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # see routes/description.py
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,  # a redirect would need the scheme and prefix that the client used
    )
    app.state.app_state, app.state.deployments = state, deployments
    routers = create_routers()
    for router in routers:
        app.include_router(router, responses=ERRORS)
    unlisted = [page.router, description.router]
    if settings.page == "on":
        unlisted.append(page_routes.create_router(state))
    for router in unlisted:
        app.include_router(router)
    app.state.methods = methods_by_path(route for router in [*routers, *unlisted] for route in router.routes)
    app.add_exception_handler(ServiceError, service_error)
    app.add_exception_handler(HTTPException, routing_error)
    app.add_exception_handler(Exception, unforeseen_error)
    requests = RequestMiddleware(FastPath(app, routers[0].routes), state)
    if not settings.cors_origins:
        return requests
    return _Cors(requests, allow_origins=settings.cors_origins, allow_methods=["GET", "POST"], allow_headers=["*"])
