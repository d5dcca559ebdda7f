"""The doors: every path at which pictures are scored, and the contracts that a request there may be of."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from models.discovery import constants
from server import protocols
from server.body import read_body
from server.context import Context
from server.deployments import Deployment, Deployments
from server.engine.outcome import Reply
from server.errors import ServiceError
from server.protocol import Answer, Call, Protocol, Wanted
from server.scoring import Asked, score

_NAMED = "azureml-model-deployment"

PROTOCOLS: tuple[Protocol, ...] = tuple(protocol for _, protocol in constants(protocols, "PROTOCOL"))
_AT: Mapping[str, Sequence[Protocol]] = {
    path: [protocol for protocol in PROTOCOLS if path in protocol.paths]
    for path in sorted({path for protocol in PROTOCOLS for path in protocol.paths})
}


def failing(path: str) -> Callable[[ServiceError, str], bytes] | None:
    """Return how the contract that has `path` writes errors, given one and the request id; None where none has."""
    for protocol in PROTOCOLS:
        if protocol.prefix and (path == protocol.prefix or path.startswith(protocol.prefix + "/")):
            return protocol.fails
    return None


def create_router() -> APIRouter:
    """Return a router with all doors, and with the other endpoints of their contracts."""
    router = APIRouter(tags=["scoring"])
    for path, contracts in _AT.items():
        does, openapi = " ".join(protocol.does for protocol in contracts), dict(contracts[0].openapi)
        router.add_api_route(path, _post, methods=["POST"], summary=does, openapi_extra=openapi, name=contracts[0].name)
    for protocol in PROTOCOLS:
        if protocol.router is not None:
            router.include_router(protocol.router)
    return router


async def _post(request: Request) -> Response:
    context: Context = request.app.state.context
    started = time.monotonic()
    context.keys.check(request.headers.get("authorization"))
    deployment = _asked_for(request, context.deployments)
    request.state.facts["deployment"] = deployment.name
    deadline = started + deployment.settings.request_timeout_ms / 1000
    contracts = _AT[request.scope["route"].path]
    protocol, wanted = await _read(request, contracts, deployment, deadline)
    request.state.facts["images"] = len(wanted.cells)
    read_s = time.monotonic() - started
    reply = await _scored(request, context, deployment, wanted, deadline)
    stages = {"read": read_s, **reply.stages}
    request.state.facts |= {f"{stage}_ms": round(1000 * seconds, 1) for stage, seconds in stages.items()}
    context.mirror.reflect(deployment, wanted.cells, reply.outcomes)
    answer = Answer(reply.outcomes, request.state.request_id, deployment.model, deployment.row.version, wanted.note)
    written = protocol.write(answer)
    timing = _server_timing(stages | {"total": time.monotonic() - started})
    headers = {"server-timing": timing, _NAMED: deployment.name, **written.headers}
    return Response(written.body, media_type=written.media_type, headers=headers)


def _asked_for(request: Request, deployments: Deployments) -> Deployment:
    if (name := request.path_params.get("model")) is not None:
        return deployments.named(name, request.path_params.get("version"))
    return deployments.choose(request.headers.get(_NAMED))


async def _read(
    request: Request, contracts: Sequence[Protocol], deployment: Deployment, deadline: float
) -> tuple[Protocol, Wanted]:
    settings, first = deployment.settings, contracts[0]
    body = await read_body(request, settings.max_body_bytes, deadline, takes=first.takes, types=first.types)
    call = Call(await first.parse(body), request.scope["route"].path, request.path_params, request.headers)
    protocol = next((protocol for protocol in contracts if protocol.accepts(call.content)), None)
    if protocol is None:
        raise ServiceError(
            "input_missing",
            "A value is not provided for the 'input_data' parameter. Expected "
            '{"input_data": {"columns": ["image"], "data": [BASE64, ...]}} or {"image": BASE64}.',
        )
    wanted = protocol.read(call)
    if len(wanted.cells) > settings.max_images:
        message = f"The request holds {len(wanted.cells)} pictures; this server accepts up to {settings.max_images}."
        raise ServiceError("too_many_images", message)
    if not settings.inference_parameters and any(isinstance(cell, Asked) and cell.settings for cell in wanted.cells):
        raise ServiceError(
            "inference_parameters_invalid",
            "This server takes no `inference_parameters`. Leave them out, or have its operator start it with "
            "--inference-parameters.",
        )
    return protocol, wanted


async def _scored(request: Request, context: Context, deployment: Deployment, wanted: Wanted, deadline: float) -> Reply:
    work = score(deployment.engines, wanted.cells, deployment.settings.bad_images, deadline)
    try:
        reply = await _while_connected(request, work, deadline)
    except ServiceError as error:
        if error.code == "queue_full":
            context.metrics.dropped.labels(deployment.name, "queue_full").inc(len(wanted.cells))
        raise
    return reply


def _server_timing(stages: Mapping[str, float]) -> str:
    """Write the header that browsers and proxies show, https://www.w3.org/TR/server-timing/: milliseconds by name."""
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in stages.items())


async def _while_connected(request: Request, work: Awaitable[Reply], deadline: float) -> Reply:
    """Wait for `work`, but no longer than the client does, and not past the deadline."""
    waiting, has_left = asyncio.current_task(), False
    assert waiting is not None

    def leave(watch: asyncio.Task[None]) -> None:
        nonlocal has_left
        has_left = True
        waiting.cancel()

    watch = asyncio.create_task(_disconnected(request))
    watch.add_done_callback(leave)
    try:
        # the engine answers at the deadline itself; the extra time is for an engine that cannot
        async with asyncio.timeout(max(0.0, deadline - time.monotonic()) + 0.25):
            return await work
    except TimeoutError:
        raise ServiceError("deadline_exceeded", "The request was not scored before its deadline.") from None
    except asyncio.CancelledError:
        if not has_left:
            raise
        waiting.uncancel()
        raise ClientDisconnect from None
    finally:
        watch.remove_done_callback(leave)
        watch.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
