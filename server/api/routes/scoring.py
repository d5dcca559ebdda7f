"""POST on every scoring path, one step after the other: admit -> read -> parse -> score -> write."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request, Response

from server.api.admission import AdmittedRequest
from server.api.disconnect import cancel_on_disconnect
from server.api.routes.script_scoring import run_script
from server.api.scoring import score_admitted
from server.api.timing import server_timing
from server.codecs.body import RequestBody, read_body, run_in_thread_if_large
from server.errors import ServiceError
from server.hosted import DEPLOYMENT, RUN_FAILED, RUN_MS
from server.ipc.outcome import Reply
from server.openapi.keys import NEEDS_SCORING_KEY
from server.openapi.schemas import parameter, path_parameters
from server.protocol import Protocol, ProtocolRequest, ScoreRequest, ScoreResult
from server.protocol_catalog import PROTOCOLS_BY_PATH


def create_router() -> APIRouter:
    """Return a router with a POST route for each path of each protocol."""
    router = APIRouter(tags=["scoring"])
    for path, protocols in PROTOCOLS_BY_PATH.items():
        summary = " ".join(protocol.summary for protocol in protocols)
        openapi = {**protocols[0].openapi[path], **NEEDS_SCORING_KEY}
        named = path_parameters(path) or [parameter("header", DEPLOYMENT)]
        openapi["parameters"] = [*named, *openapi.get("parameters", ())]
        name = openapi.pop("operationId")
        router.add_api_route(
            path, post, methods=["POST"], name=name, operation_id=name, summary=summary, openapi_extra=openapi
        )
    return router


async def post(request: Request) -> Response:
    """Score the images in the body. A deployment that is a script gets the request as it is."""
    with AdmittedRequest.of(request) as admitted:
        if admitted.is_to_script:
            return await run_script(request, admitted)
        route = request.scope["route"].path
        protocols = PROTOCOLS_BY_PATH[route]
        # no name keeps the body, whose memory is free before the images are scored
        protocol, score_request = await parse_body(
            protocols,
            await _read(request, admitted, protocols[0]),
            admitted.protocol_request(route, request.path_params, request.headers),
        )
        reply = await score_images(request, admitted, score_request)
        return write_response(admitted, protocol, score_request, reply)


async def _read(request: Request, admitted: AdmittedRequest, protocol: Protocol) -> RequestBody:
    """Read the body. ServiceError `queue_full` where that is certain already, so that parsing would be wasted."""
    max_bytes = admitted.deployment.settings.max_body_bytes
    body = await read_body(
        request,
        max_bytes,
        admitted.deadline,
        accepts_media_type=protocol.accepts_media_type,
        media_types=protocol.media_types,
        held=admitted.held,
    )
    # explanations wait in a queue of their own, so a body that may want one is parsed in any case
    if (refusal := admitted.deployment.engines.refusal) is not None and protocol.explain_key not in body.data:
        raise refusal
    return body


async def parse_body(
    protocols: Sequence[Protocol], body: RequestBody, request: ProtocolRequest
) -> tuple[Protocol, ScoreRequest]:
    """Parse a body by the protocols that share a path; returns the one that matches, and the images with their options.

    ServiceError where none matches, or the body is not of that protocol's form.
    """
    return await parse_content(protocols, replace(request, content=await protocols[0].parse(body)), len(body.data))


async def parse_content(
    protocols: Sequence[Protocol], request: ProtocolRequest, size: int
) -> tuple[Protocol, ScoreRequest]:
    """Find the protocol that matches the content, which came in `size` bytes, and read it; see `parse_body`."""
    protocol = next((protocol for protocol in protocols if protocol.matches(request.content)), None)
    if protocol is None:
        raise ServiceError(
            "input_missing",
            "A value is not provided for the 'input_data' parameter. Expected "
            '{"input_data": {"columns": ["image"], "data": [BASE64, ...]}} or {"image": BASE64}.',
        )
    score_request = await run_in_thread_if_large(size, partial(protocol.read, request))
    request.check_image_count(len(score_request.images))
    return protocol, score_request


async def score_images(request: Request, admitted: AdmittedRequest, score_request: ScoreRequest) -> Reply:
    """Score the images as `score_admitted` does, until the client leaves or the request's deadline passes."""
    return await cancel_on_disconnect(request, score_admitted(admitted, score_request), admitted.deadline)


def write_response(
    admitted: AdmittedRequest, protocol: Protocol, score_request: ScoreRequest, reply: Reply
) -> Response:
    """Write the response as the protocol does, with the headers of the hosted endpoint and the time of each stage."""
    deployment = admitted.deployment
    version = deployment.route.version
    result = ScoreResult(reply.outcomes, admitted.request_id, deployment.model, version, score_request.note)
    body = protocol.write(result)
    total = time.monotonic() - admitted.started
    headers = {
        "server-timing": server_timing(reply.stages, total, admitted.facts),
        DEPLOYMENT: deployment.name,
        RUN_FAILED: "False",
        RUN_MS: f"{1000 * (total - reply.stages['read']):.3f}",
        **body.headers,
    }
    return Response(body.body, media_type=body.media_type, headers=headers)
