"""Version 1 of KServe's protocol (https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol).

`:predict` scores `instances`, each base64, `{"b64": BASE64}`, `{"data": BASE64}` as of TorchServe below KServe, or an
object that holds one of them; `:explain` explains, too.
"""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from server.codecs.base64_image import decode_base64
from server.codecs.body import UNSPECIFIC_TYPES, RequestBody, is_json, parsed_object
from server.codecs.image_inputs import image_inputs, shared_options
from server.codecs.outcomes import json_objects
from server.errors import ServiceError
from server.ipc.outcome import Failure
from server.openapi.schemas import IMAGE, REQUEST_PARAMETERS, array_of, object_schema, request_body
from server.protocol import Protocol, ProtocolRequest, ResponseBody, ScoreRequest, ScoreResult, deployments_of
from settings.excerpt import excerpt

_EXPLAIN = ":explain"
_EXPECTED = 'Expected {"instances": [BASE64, ...]} or {"instances": [{"b64": BASE64}, ...]}.'
_KEYS = ("b64", "data", "image", "image_bytes", "image_base64")
_INSTANCE = {
    "anyOf": [
        IMAGE,
        object_schema({"b64": IMAGE}),
        object_schema({"data": IMAGE}),
        object_schema({"image": object_schema({"b64": IMAGE})}),
        object_schema({"image_bytes": object_schema({"b64": IMAGE})}),
    ]
}


async def _parse(body: RequestBody) -> dict[str, Any]:
    return await parsed_object(body.data)


def _read(request: ProtocolRequest) -> ScoreRequest:
    explains, options = shared_options(request.content.get("parameters"))
    key = "predictions"
    if request.route.endswith(_EXPLAIN):
        explains, key = True, "explanations"
    instances = request.content.get("instances", request.content.get("inputs"))
    if not isinstance(instances, list) or not instances:
        found = "an empty list" if instances == [] else f"a {type(instances).__name__}"
        raise ServiceError("input_invalid", f"`instances` is {found}. {_EXPECTED}")
    request.check_image_count(len(instances))
    files = [_file(instance) for instance in instances]
    return ScoreRequest(image_inputs(files, options, explains=explains), key)


def _file(instance: Any) -> bytes | Failure:
    """Decode the base64 of an instance, which may be wrapped twice: {"image_bytes": {"b64": BASE64}}."""
    for _ in range(2):
        if isinstance(instance, dict):
            key = next((key for key in _KEYS if key in instance), None)
            if key is None:
                return Failure(
                    "base64_invalid",
                    f"The instance has the keys {excerpt([*instance])}, but none of {', '.join(_KEYS)}. {_EXPECTED}",
                )
            instance = instance[key]
    return decode_base64(instance)


def _write(result: ScoreResult) -> ResponseBody:
    rows = b", ".join(json_objects(result.outcomes))
    return ResponseBody(b'{"%s": [%s]}' % (str(result.note).encode(), rows))


def _write_error(error: ServiceError, request_id: str) -> bytes:
    return json.dumps({"error": error.message}).encode()


router = APIRouter(prefix="/v1/models", tags=["KServe"])


@router.get("")
async def models(request: Request) -> JSONResponse:
    """List the deployments that are models."""
    return JSONResponse({"models": [each.name for each in deployments_of(request) if each.route.kind == "model"]})


@router.get("/{model}")
async def model(request: Request, model: str) -> JSONResponse:
    """Answer 200 if a deployment would score now, else 503."""
    found = deployments_of(request).ready_model(model)
    return JSONResponse({"name": found.name, "ready": True})


PROTOCOL = Protocol(
    "kserve",
    ("/v1/models/{model}:predict", "/v1/models/{model}" + _EXPLAIN),
    "Score or explain images by version 1 of KServe's protocol.",
    _read,
    _write,
    parse=_parse,
    accepts_media_type=lambda media_type: media_type in UNSPECIFIC_TYPES or is_json(media_type),
    prefix="/v1/models",
    write_error=_write_error,
    router=router,
    openapi=request_body(
        {"application/json": object_schema({"instances": array_of(_INSTANCE)}, parameters=REQUEST_PARAMETERS)}
    ),
)
