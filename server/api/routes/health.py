"""Probes. They run in a process that never runs a model, so a busy engine does not delay them."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from server.api.routes.allowed_methods import options_response
from server.api.state import AppState
from server.openapi.schemas import TEXT, json_reply, named, object_schema

router = APIRouter(tags=["health"])
_STATUS = json_reply(named("Status", object_schema({"status": TEXT})))


@router.get("/", response_class=HTMLResponse, operation_id="healthy")
async def root(request: Request) -> Response:
    """Answer `Healthy` while a score would succeed, as the hosted endpoint does; 503 otherwise."""
    AppState.of(request).deployments.require_ready()
    return HTMLResponse("Healthy")


@router.options("/", include_in_schema=False)
async def options_root(request: Request) -> Response:
    """Answer as GET does, without a body, since HAProxy takes it for the health of the server."""
    AppState.of(request).deployments.require_ready()
    return options_response(request)


@router.get("/health/live", openapi_extra=_STATUS)
async def live() -> Response:
    """Answer 200 whenever the process can answer at all, whatever the engine does."""
    return JSONResponse({"status": "live"})


@router.get("/health/ready", openapi_extra=_STATUS)
async def ready(request: Request) -> Response:
    """Answer 200 only while a score would succeed: the model is warm, its engine runs, and no shutdown has begun."""
    AppState.of(request).deployments.require_ready()
    return JSONResponse({"status": "ready"})
