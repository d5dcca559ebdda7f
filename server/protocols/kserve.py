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
from server.openapi.predictions import PREDICTION, PROTOCOL_ERROR
from server.openapi.schemas import (
    BOOLEAN,
    IMAGE,
    JSON,
    REQUEST_PARAMETERS,
    SQUARE,
    TEXT,
    any_of,
    array_of,
    json_reply,
    list_of,
    named,
    object_schema,
    path_parameters,
    request_body,
)
from server.protocol import Protocol, ProtocolRequest, ResponseBody, ScoreRequest, ScoreResult, deployments_of
from settings.excerpt import excerpt

_EXPLAIN = ":explain"
_EXPECTED = 'Expected {"instances": [BASE64, ...]} or {"instances": [{"b64": BASE64}, ...]}.'
_KEYS = ("b64", "data", "image", "image_bytes", "image_base64")
_B64 = named("Base64Object", object_schema({"b64": IMAGE}))
_INSTANCE = any_of(
    IMAGE,
    _B64,
    named("DataObject", object_schema({"data": IMAGE})),
    named("ImageObject", object_schema({"image": _B64})),
    named("ImageBytesObject", object_schema({"image_bytes": _B64})),
)
_BODY = request_body(
    {JSON: named("InstancesRequest", object_schema({"instances": array_of(_INSTANCE)}, parameters=REQUEST_PARAMETERS))},
    examples={"an image in base64": {"instances": [{"b64": SQUARE}]}},
)
_PREDICTIONS = json_reply(
    named("PredictionsReply", object_schema({"predictions": list_of(PREDICTION)})), error=PROTOCOL_ERROR
)
_EXPLANATIONS = json_reply(
    named("ExplanationsReply", object_schema({"explanations": list_of(PREDICTION)})), error=PROTOCOL_ERROR
)
_MODELS = json_reply(named("ModelList", object_schema({"models": list_of(TEXT)})), error=PROTOCOL_ERROR)
_READY = {
    "parameters": path_parameters("{model}"),
    **json_reply(named("ModelReadiness", object_schema({"name": TEXT, "ready": BOOLEAN})), error=PROTOCOL_ERROR),
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


@router.get("", operation_id="list_models", openapi_extra=_MODELS)
async def models(request: Request) -> JSONResponse:
    """List the deployments that are models."""
    return JSONResponse({"models": [each.name for each in deployments_of(request) if each.route.kind == "model"]})


@router.get("/{model}", operation_id="model_is_ready", openapi_extra=_READY)
async def model(request: Request) -> JSONResponse:
    """Answer 200 if a deployment would score now, else 503."""
    found = deployments_of(request).ready_model(request.path_params["model"])
    return JSONResponse({"name": found.name, "ready": True})


_PREDICT_PATH, _EXPLAIN_PATH = "/v1/models/{model}:predict", "/v1/models/{model}" + _EXPLAIN
PROTOCOL = Protocol(
    "kserve",
    (_PREDICT_PATH, _EXPLAIN_PATH),
    "Score or explain images by version 1 of KServe's protocol.",
    _read,
    _write,
    parse=_parse,
    accepts_media_type=lambda media_type: media_type in UNSPECIFIC_TYPES or is_json(media_type),
    prefix="/v1/models",
    write_error=_write_error,
    router=router,
    openapi={
        _PREDICT_PATH: {"operationId": "predict", **_BODY, **_PREDICTIONS},
        _EXPLAIN_PATH: {"operationId": "explain", **_BODY, **_EXPLANATIONS},
    },
)
