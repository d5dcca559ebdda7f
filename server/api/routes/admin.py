"""Administration at run time: add, replace and remove deployments, and share traffic among them."""

import time
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from server.api.state import AppState
from server.codecs.body import read_body
from server.errors import ServiceError
from server.ipc.control import send_command
from server.openapi.keys import NEEDS_ADMIN_KEY
from server.openapi.schemas import (
    INTEGER,
    JSON,
    NULL,
    NUMBER,
    TEXT,
    any_of,
    json_reply,
    named,
    object_schema,
    open_object,
    request_body,
    without_titles,
)
from settings.deployments import DeploymentSpec, Plan

_LARGEST_BODY = 2**16
_PLAN = Plan.model_json_schema()["properties"]
_DEPLOYMENT_BODY = request_body({JSON: named("DeploymentSpec", without_titles(DeploymentSpec.model_json_schema()))})
_TRAFFIC_BODY = request_body(
    {
        JSON: named(
            "TrafficRequest",
            object_schema({}, traffic=without_titles(_PLAN["traffic"]), mirror=without_titles(_PLAN["mirror"])),
        )
    }
)
_DEPLOYMENT = named(
    "Deployment",
    open_object(
        "A deployment as it runs: its model or script, its settings, and another version of it that is loading.",
        state=TEXT,
        reason=TEXT,
        version=any_of(INTEGER, NULL),
        engines=INTEGER,
        traffic=NUMBER,
        mirror=NUMBER,
    ),
)
_REPLY = json_reply(
    named(
        "DeploymentList",
        object_schema({"deployments": {"type": "object", "additionalProperties": _DEPLOYMENT}}, unsaved=TEXT),
    )
)
_BODY_TIMEOUT_S = 30.0


def _require_admin_key(request: Request) -> None:
    state = AppState.of(request)
    if state.settings.admin_keys_file is None:
        raise ServiceError(
            "admin_disabled",
            "Nobody may see or change deployments here. Start the server with --admin-keys-file FILE.",
        )
    state.admin_keys.check(request.headers.get("authorization"))


router = APIRouter(tags=["deployments"], dependencies=[Depends(_require_admin_key)])


async def _content(request: Request) -> dict[str, Any]:
    deadline = time.monotonic() + _BODY_TIMEOUT_S
    # any content type: curl sends that of a form by default
    body = await read_body(
        request, _LARGEST_BODY, deadline, accepts_media_type=lambda media_type: True, media_types="application/json"
    )
    content = await body.content()
    if not isinstance(content, dict):
        raise ServiceError("deployment_invalid", 'The body is not a JSON object, such as {"model": FOLDER}.')
    return content


async def _command(request: Request, verb: str, content: dict[str, Any]) -> JSONResponse:
    return JSONResponse(await send_command(AppState.of(request).control, verb, content))


@router.get("/deployments", openapi_extra=NEEDS_ADMIN_KEY | _REPLY)
async def get_deployments(request: Request) -> JSONResponse:
    """List all deployments: model, version, settings, state and traffic. Needs an admin key, as the routes below do."""
    return await _command(request, "list", {})


@router.put("/deployments/{name}", openapi_extra=_DEPLOYMENT_BODY | NEEDS_ADMIN_KEY | _REPLY)
async def put_deployment(request: Request, name: str) -> JSONResponse:
    """Add or replace a deployment, once the new one is warm: `{"model": FOLDER}` or `{"name": NAME}`."""
    return await _command(request, "put", {"name": name, "deployment": await _content(request)})


@router.delete("/deployments/{name}", openapi_extra=NEEDS_ADMIN_KEY | _REPLY)
async def delete_deployment(request: Request, name: str) -> JSONResponse:
    """Remove a deployment that gets no traffic, after its last reply."""
    return await _command(request, "remove", {"name": name})


@router.put("/traffic", openapi_extra=_TRAFFIC_BODY | NEEDS_ADMIN_KEY | _REPLY)
async def put_traffic(request: Request) -> JSONResponse:
    """Set the shares of traffic and of copies: `{"traffic": {"blue": 90, "green": 10}, "mirror": {"green": 100}}`."""
    return await _command(request, "share", await _content(request))
