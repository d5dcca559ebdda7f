"""POST /score: one door for every contract, told apart by what the body is."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from models.discovery import constants
from server import protocols
from server.body import Content, read_body
from server.engine.outcome import Reply
from server.errors import ServiceError
from server.protocol import Protocol
from server.scoring import Asked, Cell, score

router = APIRouter(tags=["scoring"])

_PROTOCOLS: tuple[Protocol, ...] = tuple(protocol for _, protocol in constants(protocols, "PROTOCOL"))

_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_ROW = {
    "summary": "version 2: any number of pictures",
    "value": {"input_data": {"columns": ["image"], "data": ["<base64>"]}},
}
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {
                    "input_data": _ROW,
                    "image": {"summary": "version 1: one picture", "value": {"image": "<base64>"}},
                },
            },
            "application/octet-stream": _PICTURE,
            "image/*": _PICTURE,
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


@router.post("/score", openapi_extra=_OPENAPI)
async def post_score(request: Request) -> Response:
    """Score the pictures in the body. Version 2 and forms get a JSON array, version 1 and raw bytes an object."""
    context = request.app.state.context
    settings = context.settings
    context.keys.check(request.headers.get("authorization"))
    started = time.monotonic()
    deadline = started + settings.request_timeout_ms / 1000
    body = await read_body(request, settings.max_body_bytes, deadline)
    protocol, cells = _read(await body.content(), settings.max_images)
    _check_settings(cells, settings.inference_parameters)
    request.state.facts["images"] = len(cells)
    read_s = time.monotonic() - started
    try:
        reply = await _while_connected(request, score(context.engines, cells, settings.bad_images, deadline), deadline)
    except ServiceError as error:
        if error.code == "queue_full":
            context.metrics.dropped.labels("queue_full").inc(len(cells))
        raise
    stages = {"read": read_s, **reply.stages}
    request.state.facts |= {f"{stage}_ms": round(1000 * seconds, 1) for stage, seconds in stages.items()}
    written = protocol.write(reply.outcomes, request.state.request_id)
    timing = _server_timing(stages | {"total": time.monotonic() - started})
    return Response(written, media_type="application/json", headers={"server-timing": timing})


def _server_timing(stages: Mapping[str, float]) -> str:
    """Write the header that browsers and proxies show, https://www.w3.org/TR/server-timing/: milliseconds by name."""
    return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in stages.items())


def _read(content: Content, max_images: int) -> tuple[Protocol, list[Cell]]:
    protocol = next((protocol for protocol in _PROTOCOLS if protocol.accepts(content)), None)
    if protocol is None:
        raise ServiceError(
            "input_missing",
            "A value is not provided for the 'input_data' parameter. Expected "
            '{"input_data": {"columns": ["image"], "data": [BASE64, ...]}} or {"image": BASE64}.',
        )
    cells = protocol.read(content)
    if len(cells) > max_images:
        message = f"The request holds {len(cells)} pictures; this server accepts up to {max_images} at once."
        raise ServiceError("too_many_images", message)
    return protocol, cells


def _check_settings(cells: Sequence[Cell], accepted: bool) -> None:
    if not accepted and any(isinstance(cell, Asked) and cell.settings for cell in cells):
        raise ServiceError(
            "inference_parameters_invalid",
            "This server takes no `inference_parameters`. Leave them out, or have its operator start it with "
            "--inference-parameters.",
        )


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
