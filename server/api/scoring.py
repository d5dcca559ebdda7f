"""The doors: every path at which pictures are scored, and the contracts that a request there may be of."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from models.discovery import constants
from server import protocols
from server.api import script_scoring as door
from server.api.admission import AdmittedRequest
from server.api.disconnect import while_connected
from server.api.state import AppState
from server.api.timing import server_timing, timing_facts
from server.codecs.body import RequestBody, aside, read_body
from server.errors import ServiceError
from server.hosted import DEPLOYMENT, RUN_FAILED, RUN_MS, SCORE
from server.inference.scoring import ImageInput, score
from server.ipc.outcome import Reply
from server.openapi.schemas import parameter, parameters_in
from server.openapi.swagger import swagger
from server.protocol import Protocol, ProtocolRequest, ScoreRequest, ScoreResult
from settings.server import ServerSettings

PROTOCOLS: tuple[Protocol, ...] = tuple(protocol for _, protocol in constants(protocols, "PROTOCOL"))
_AT: Mapping[str, Sequence[Protocol]] = {
    path: [protocol for protocol in PROTOCOLS if path in protocol.paths]
    for path in sorted({path for protocol in PROTOCOLS for path in protocol.paths})
}

# of a GET that asks for nothing
_PATH: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


def failing(path: str) -> Callable[[ServiceError, str], bytes] | None:
    """Return how the contract that has `path` writes errors, given one and the request id; None where none has."""
    for protocol in PROTOCOLS:
        if protocol.prefix and (path == protocol.prefix or path.startswith(protocol.prefix + "/")):
            return protocol.fails
    return None


def create_routers() -> Sequence[APIRouter]:
    """Return a router with all doors, and after it those with the other endpoints of their contracts."""
    router = APIRouter(tags=["scoring"])
    for path, contracts in _AT.items():
        does, openapi = " ".join(protocol.does for protocol in contracts), dict(contracts[0].openapi)
        openapi["parameters"] = parameters_in(path) or [parameter("header", DEPLOYMENT)]
        router.add_api_route(path, post, methods=["POST"], summary=does, openapi_extra=openapi, name=contracts[0].name)
    for path, get, query, also in (
        (SCORE, _get_score, "input_data", _PATH),
        ("/swagger.json", _get_swagger, "version", {}),
    ):
        openapi = {"parameters": [parameter("query", query), parameter("header", DEPLOYMENT)]}
        router.add_api_route(path, get, methods=["GET"], summary=get.__doc__, openapi_extra=openapi, responses=also)
    router.add_api_route(SCORE, _options_score, methods=["OPTIONS"], include_in_schema=False)
    return [router, *(protocol.router for protocol in PROTOCOLS if protocol.router is not None)]


async def post(request: Request) -> Response:
    """Score what the body holds, by the contract that has the path and takes such a body; or have a script answer."""
    with AdmittedRequest.of(request) as visit:
        return await (door.answer(visit) if visit.is_to_script else _post(visit))


async def _post(visit: AdmittedRequest) -> Response:
    request, contracts = visit.request, _AT[visit.request.scope["route"].path]
    first, most = contracts[0], visit.deployment.settings.max_body_bytes
    body = await read_body(request, most, visit.deadline, takes=first.takes, types=first.types)
    if (refusal := visit.deployment.engines.refusal) is not None and first.why not in body.data:
        raise refusal
    return await _answer(visit, *await understood(contracts, body, visit.call()))


async def understood(
    contracts: Sequence[Protocol], body: RequestBody, call: ProtocolRequest
) -> tuple[Protocol, ScoreRequest]:
    """Read a body of one of the contracts that share a path, as that of `call`; tell which it is and what it asks for.

    ServiceError where it is of none of them.
    """
    return await _read(contracts, replace(call, content=await contracts[0].parse(body)), len(body.data))


async def _get_score(request: Request) -> Response:
    """Answer with the path, as version 1 of the original; or take the query for input, as version 2 and scripts do."""
    has_input = "input_data" in request.query_params
    if has_input or _has_scripts(request):
        with AdmittedRequest.of(request) as visit:
            if visit.is_to_script:
                return await door.answer(visit)
            if has_input:
                content = {name: _parsed(value) for name, value in request.query_params.items()}
                return await _answer(visit, *await _read(_AT[SCORE], replace(visit.call(), content=content), 0))
    query = f"?{request.url.query}" if request.url.query else ""
    return PlainTextResponse(request.url.path + query, headers={RUN_FAILED: "False"}, media_type="text/html")


async def _options_score(request: Request) -> Response:
    """Answer with nothing, which tells a browser that it may ask if there are origins that may; or ask a script."""
    if _has_scripts(request):
        with AdmittedRequest.of(request) as visit:
            if visit.is_to_script:
                return await door.answer(visit)
    return Response(headers={RUN_FAILED: "False"}, media_type="text/html")


def _has_scripts(request: Request) -> bool:
    context: AppState = request.app.state.context
    return any(deployment.route.kind == "script" for deployment in context.deployments)


async def _get_swagger(request: Request) -> Response:
    """Describe the hosted contract, as `?version=` 2, 3 or 3.1."""
    context: AppState = request.app.state.context
    deployment = context.deployments.choose(request.headers.get(DEPLOYMENT))
    described = swagger(
        request.query_params.get("version", "2"),
        deployment.model if deployment.route.kind == "model" else None,
        title=context.settings.swagger_title,
        service_version=context.settings.swagger_version,
        prefix=context.settings.swagger_prefix,
    )
    return JSONResponse(described, headers={RUN_FAILED: "False"})


def _parsed(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


async def _read(contracts: Sequence[Protocol], call: ProtocolRequest, size: int) -> tuple[Protocol, ScoreRequest]:
    protocol = next((protocol for protocol in contracts if protocol.accepts(call.content)), None)
    if protocol is None:
        raise ServiceError(
            "input_missing",
            "A value is not provided for the 'input_data' parameter. Expected "
            '{"input_data": {"columns": ["image"], "data": [BASE64, ...]}} or {"image": BASE64}.',
        )
    wanted = await aside(size, partial(protocol.read, call))
    call.bound(len(wanted.cells))
    return protocol, wanted


async def _answer(visit: AdmittedRequest, protocol: Protocol, wanted: ScoreRequest) -> Response:
    deployment, facts = visit.deployment, visit.request.state.facts
    _check(wanted, deployment.settings)
    facts["images"] = len(wanted.cells)
    read_s = time.monotonic() - visit.started
    reply = await _scored(visit, wanted)
    stages = {"read": read_s, **reply.stages}
    facts |= timing_facts(stages)
    visit.context.mirror.reflect(deployment, wanted.cells, reply.outcomes)
    request_id, version = visit.request.state.request_id, deployment.route.version
    written = protocol.write(ScoreResult(reply.outcomes, request_id, deployment.model, version, wanted.note))
    total = time.monotonic() - visit.started
    headers = {
        "server-timing": server_timing(stages | {"total": total}),
        DEPLOYMENT: deployment.name,
        RUN_FAILED: "False",
        RUN_MS: f"{1000 * (total - read_s):.3f}",
        **written.headers,
    }
    return Response(written.body, media_type=written.media_type, headers=headers)


def _check(wanted: ScoreRequest, settings: ServerSettings) -> None:
    if not settings.inference_parameters and any(
        isinstance(cell, ImageInput) and cell.settings for cell in wanted.cells
    ):
        raise ServiceError(
            "inference_parameters_invalid",
            "This server takes no `inference_parameters`. Leave them out, or have its operator start it with "
            "--inference-parameters.",
        )


async def _scored(visit: AdmittedRequest, wanted: ScoreRequest) -> Reply:
    deployment = visit.deployment
    work = score(deployment.engines, wanted.cells, deployment.settings.bad_images, visit.deadline)
    return await while_connected(visit.request, work, visit.deadline)
