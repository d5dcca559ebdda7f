"""The methods of the Open Inference Protocol over gRPC. What they say is what the routes of `/v2` say over HTTP."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from server.api.admission import AdmittedRequest
from server.api.disconnect import end_at_deadline
from server.api.rpc import triton
from server.api.rpc.call import RpcCall
from server.api.rpc.messages import INFERENCE
from server.api.rpc.tensors import content_of, response_of
from server.api.scoring import score_admitted
from server.api.timing import server_timing
from server.codecs.bodies_in_flight import HeldBody
from server.codecs.body import run_in_thread_if_large
from server.codecs.model_descriptions import model_metadata
from server.errors import ServiceError
from server.hosted import DEPLOYMENT
from server.inference.deployments import Deployment, script_error
from server.protocol import ScoreRequest, ScoreResult
from server.protocols.open_inference import EXTENSIONS, PROTOCOL, output_tensors
from settings.version import product_version

SERVICE = "inference.GRPCInferenceService"


async def _model_infer(call: RpcCall) -> bytes:
    """Score the images of a request, one step after the other: receive -> admit -> read -> score -> write."""
    with call.state.bodies.hold() as held:
        return await _score(call, *await _receive(call, held))


async def _receive(call: RpcCall, held: HeldBody) -> tuple[list[Any], int]:
    """Return a list with the ModelInferRequest alone, and the size of its message in bytes."""
    call.state.keys.check(call.authorization)  # before the message is received, which may be large
    message = await call.message(call.started + call.state.settings.request_timeout_ms / 1000)
    held.grow(len(message))
    parse = partial(INFERENCE.parse, "ModelInferRequest", message)
    return [await run_in_thread_if_large(len(message), parse)], len(message)


async def _score(call: RpcCall, received: list[Any], size: int) -> bytes:
    request = received.pop()  # so that nobody else keeps it
    name, version, is_raw = request.model_name, request.model_version or None, bool(request.raw_input_contents)
    with AdmittedRequest.admit(
        call.state,
        request_id=call.ids.request_id,
        facts=call.facts,
        started=call.started,
        authorization=call.authorization,
        choose=partial(call.state.deployments.named, name, version),
        client_deadline=call.deadline,
    ) as admitted:
        if admitted.is_to_script:
            raise script_error(admitted.deployment)
        score_request = await _read(admitted, request, size)
        del request  # its memory is free before the images are scored
        reply = await end_at_deadline(score_admitted(admitted, score_request), admitted.deadline)
        deployment, note = admitted.deployment, score_request.note
        result = ScoreResult(reply.outcomes, admitted.request_id, deployment.model, deployment.route.version, note)
        response = response_of(note, result.version, output_tensors(result), raw=is_raw)
        timing = server_timing(reply.stages, time.monotonic() - admitted.started, call.facts)
        call.reply_metadata += [("server-timing", timing), (DEPLOYMENT, deployment.name)]
        return response


async def _read(admitted: AdmittedRequest, request: Any, size: int) -> ScoreRequest:
    asked = admitted.protocol_request(PROTOCOL.paths[0], {"model": request.model_name})

    def read() -> ScoreRequest:
        return PROTOCOL.read(replace(asked, content=content_of(request)))

    score_request = await run_in_thread_if_large(size, read)
    asked.check_image_count(len(score_request.images))
    return score_request


async def _server_live(call: RpcCall) -> bytes:
    return INFERENCE.serialized("ServerLiveResponse", live=True)


async def _server_ready(call: RpcCall) -> bytes:
    return INFERENCE.serialized("ServerReadyResponse", ready=_succeeds(call.state.deployments.require_ready))


async def _model_ready(call: RpcCall) -> bytes:
    deployments, name, version = call.state.deployments, *await _named(call, "ModelReadyRequest")
    deployments.model_named(name, version)
    return INFERENCE.serialized("ModelReadyResponse", ready=_succeeds(lambda: deployments.ready_model(name, version)))


async def _server_metadata(call: RpcCall) -> bytes:
    return INFERENCE.serialized(
        "ServerMetadataResponse", name="sightglass", version=product_version(), extensions=EXTENSIONS
    )


async def _model_metadata(call: RpcCall) -> bytes:
    found = call.state.deployments.model_named(*await _named(call, "ModelMetadataRequest"))
    description = model_metadata(found)
    parameters = description.pop("parameters")
    properties = {key: each if isinstance(each, str) else json.dumps(each) for key, each in parameters.items()}
    return INFERENCE.serialized("ModelMetadataResponse", **description, properties=properties)


async def _named(call: RpcCall, kind: str) -> tuple[str, str | None]:
    request = INFERENCE.parse(kind, await call.small_message())
    return request.name, request.version or None


def _succeeds(check: Callable[[], Deployment | None]) -> bool:
    try:
        check()
    except ServiceError:
        return False
    return True


METHODS: Mapping[str, Callable[[RpcCall], Awaitable[bytes]]] = {
    f"/{SERVICE}/{name}": method
    for name, method in {
        "ServerLive": _server_live,
        "ServerReady": _server_ready,
        "ModelReady": _model_ready,
        "ServerMetadata": _server_metadata,
        "ModelMetadata": _model_metadata,
        "ModelInfer": _model_infer,
        **triton.METHODS,
    }.items()
}
