"""The Open Inference Protocol, version 2 (https://github.com/kserve/open-inference-protocol), with binary tensors.

The input `image` holds encoded images as BYTES, in JSON as base64, or pixels as UINT8 [N, H, W, 3].
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from explain.request.parameter_types import read_boolean
from server.codecs import model_descriptions
from server.codecs.body import UNSPECIFIC_TYPES, RequestBody, is_json, parsed_object, read_body
from server.codecs.image_inputs import image_inputs, shared_options
from server.codecs.pixel_lists import parse_with_pixels
from server.codecs.tensor_outputs import RequestedOutput, Tensor, default_outputs, model_outputs, output_tensor
from server.codecs.tensors import EXPECTED, images_of, object_or_empty
from server.errors import ServiceError
from server.inference.deployments import Deployment
from server.inference.statistics import read_statistics
from server.ipc.model_facts import ModelFacts
from server.openapi import tensors
from server.protocol import Protocol, ProtocolRequest, ResponseBody, ScoreRequest, ScoreResult, deployments_of
from settings.excerpt import excerpt
from settings.version import product_version

_MOST_DIGITS = 12  # of that header
_LONGEST_ID = 1000
EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "statistics")
_LARGEST_INDEX_BODY = 2**10
_INDEX_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class InferenceContent:
    """The JSON of a request, and the binary data after it. A request over gRPC has the same form."""

    head: Mapping[str, Any]
    binary: bytes = b""


@dataclass(frozen=True, slots=True)
class InferenceNote:
    """What a response repeats of its request, and the outputs that it has."""

    model: str
    request_id: str | None
    outputs: tuple[RequestedOutput, ...]


async def _parse(body: RequestBody) -> InferenceContent:
    length = body.headers.get(tensors.BINARY_HEADER)
    if not length:
        return InferenceContent(await parsed_object(body.data, parse_with_pixels))
    if not length.isdecimal() or len(length) > _MOST_DIGITS or int(length) > len(body.data):
        raise ServiceError(
            "input_invalid",
            f"The header {tensors.BINARY_HEADER} is {length[:40]!r}, but the body has {len(body.data)} bytes.",
        )
    return InferenceContent(await parsed_object(body.data[: int(length)]), body.data[int(length) :])


def _read(request: ProtocolRequest) -> ScoreRequest:
    content: InferenceContent = request.content
    inputs = content.head.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise ServiceError("input_invalid", f"`inputs` is not a list of one tensor. {EXPECTED}")
    tensor = inputs[0]
    if tensor.get("name", "image") != "image":
        raise ServiceError("input_invalid", f"There is no input {excerpt(tensor['name'])}. {EXPECTED}")
    explains, options = shared_options(content.head.get("parameters"))
    note = _note(content.head, request, explains)
    files = images_of(tensor, content.binary, request.check_image_count)
    return ScoreRequest(image_inputs(files, options, explains=explains), note)


def _note(head: Mapping[str, Any], request: ProtocolRequest, explains: bool) -> InferenceNote:
    request_id, named = head.get("id"), head.get("outputs")
    if request_id is not None and not isinstance(request_id, str):
        raise ServiceError("input_invalid", f"`id` is a {type(request_id).__name__}; expected a text.")
    if request_id is not None and len(request_id) > _LONGEST_ID:
        raise ServiceError("input_invalid", f"`id` has {len(request_id)} characters; expected at most {_LONGEST_ID}.")
    binary = _flag(object_or_empty(head.get("parameters")), "binary_data_output", default=False)
    if not named:
        named = [{"name": name} for name in default_outputs(request.model, explains=explains)]
    if not isinstance(named, list) or not all(isinstance(each, dict) and "name" in each for each in named):
        raise ServiceError("input_invalid", '`outputs` is not a list of tensors. Expected [{"name": "predictions"}].')
    outputs = tuple(_requested_output(each, request.model, binary) for each in named)
    if len({output.name for output in outputs}) < len(outputs):
        raise ServiceError("input_invalid", "`outputs` names one of them twice.")
    return InferenceNote(request.path_parameters["model"], request_id, outputs)


def _requested_output(given: Mapping[str, Any], model: ModelFacts, binary: bool) -> RequestedOutput:
    name, known = given["name"], [output.name for output in model_outputs(model)]
    if name not in known:
        raise ServiceError("input_invalid", f"There is no output {excerpt(name)}. Known: {', '.join(known)}.")
    parameters = object_or_empty(given.get("parameters"))
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0 or (classes and name != "probs"):
        raise ServiceError(
            "input_invalid",
            f"`classification` of the output {name!r} is {excerpt(classes)}; expected a whole number, for 'probs' "
            "only.",
        )
    return RequestedOutput(name, _flag(parameters, "binary_data", default=binary), classes)


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    given = parameters.get(name)
    flag = default if given is None else read_boolean(given)
    if not isinstance(flag, bool):
        raise ServiceError("input_invalid", f"`{name}` is {excerpt(given)}; expected true or false.")
    return flag


def output_tensors(result: ScoreResult) -> list[Tensor]:
    """Return the outputs that the request named; `note` is an InferenceNote. ServiceError as `output_tensor` raises."""
    return [output_tensor(requested, result.outcomes, result.model) for requested in result.note.outputs]


def _write(result: ScoreResult) -> ResponseBody:
    note: InferenceNote = result.note
    outputs, blobs = [], []
    for requested, tensor in zip(note.outputs, output_tensors(result), strict=True):
        output = tensor.metadata()
        if requested.binary:
            blobs.append(tensor.binary_data())
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = list(tensor.values)
        outputs.append(output)
    head = {"model_name": note.model, "model_version": str(result.version or 1)}
    if note.request_id is not None:
        head["id"] = note.request_id
    # as ASCII: an id may hold a lone surrogate, which UTF-8 cannot encode
    text = json.dumps({**head, "outputs": outputs}).encode()
    if not blobs:
        return ResponseBody(text)
    return ResponseBody(b"".join([text, *blobs]), "application/octet-stream", {tensors.BINARY_HEADER: str(len(text))})


def _write_error(error: ServiceError, request_id: str) -> bytes:
    return json.dumps({"error": error.message}).encode()


router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])


@router.get("", operation_id="server_metadata", openapi_extra=tensors.SERVER_METADATA)
async def server_metadata() -> JSONResponse:
    """Return the server's name and version, and the extensions of the protocol that it has."""
    return JSONResponse({"name": "sightglass", "version": product_version(), "extensions": list(EXTENSIONS)})


@router.get("/health/live", operation_id="server_live", openapi_extra=tensors.SERVER_LIVE)
async def server_live() -> JSONResponse:
    """Answer 200 whenever the process can answer at all."""
    return JSONResponse({"live": True})


@router.get("/health/ready", operation_id="server_ready", openapi_extra=tensors.SERVER_READY)
async def server_ready(request: Request) -> JSONResponse:
    """Answer 200 only while a score would succeed."""
    deployments_of(request).require_ready()
    return JSONResponse({"ready": True})


@router.get("/models/stats", operation_id="statistics", openapi_extra=tensors.STATISTICS)
async def statistics(request: Request) -> JSONResponse:
    """Return the counts and times of all models since the start, as Triton does."""
    return await _statistics(deployments_of(request).models)


@router.get("/models/{model}", operation_id="model_metadata", openapi_extra=tensors.MODEL_METADATA)
@router.get("/models/{model}/versions/{version}", include_in_schema=False)
async def model_metadata(request: Request) -> JSONResponse:
    """Return the version, the input and the outputs of a deployment."""
    return JSONResponse(model_descriptions.model_metadata(_model(request)))


@router.get("/models/{model}/config", operation_id="model_configuration", openapi_extra=tensors.MODEL_CONFIGURATION)
@router.get("/models/{model}/versions/{version}/config", include_in_schema=False)
async def model_configuration(request: Request) -> JSONResponse:
    """Return the input and the outputs of a deployment as Triton configures them, and how many images it takes."""
    return JSONResponse(model_descriptions.model_configuration(_model(request)))


@router.get("/models/{model}/stats", operation_id="model_statistics", openapi_extra=tensors.MODEL_STATISTICS)
@router.get("/models/{model}/versions/{version}/stats", include_in_schema=False)
async def model_statistics(request: Request) -> JSONResponse:
    """Return the counts and times of a deployment since the start, as Triton does."""
    return await _statistics([_model(request)])


async def _statistics(models: Sequence[Deployment]) -> JSONResponse:
    found = await run_in_threadpool(read_statistics)
    return JSONResponse({"model_stats": model_descriptions.model_statistics(models, found)})


@router.post("/repository/index", operation_id="repository_index", openapi_extra=tensors.REPOSITORY_INDEX)
async def repository_index(request: Request) -> JSONResponse:
    """List the deployments that are models, with their states; `{"ready": true}` asks for those that are ready."""
    body = await read_body(
        request,
        _LARGEST_INDEX_BODY,
        time.monotonic() + _INDEX_TIMEOUT_S,
        accepts_media_type=lambda media_type: True,  # clients name none, or that of a form
        media_types="any",
    )
    content = await parsed_object(body.data) if body.data.strip() else {}
    only_ready = _flag(content, "ready", default=False)
    return JSONResponse(model_descriptions.repository_index(deployments_of(request).models, only_ready=only_ready))


def _model(request: Request) -> Deployment:
    return deployments_of(request).model_named(request.path_params["model"], request.path_params.get("version"))


@router.get("/models/{model}/ready", operation_id="model_ready", openapi_extra=tensors.MODEL_READY)
@router.get("/models/{model}/versions/{version}/ready", include_in_schema=False)
async def model_ready(request: Request) -> JSONResponse:
    """Answer 200 if a deployment would score now, else an error."""
    found = deployments_of(request).ready_model(request.path_params["model"], request.path_params.get("version"))
    return JSONResponse({"name": found.name, "ready": True})


_INFER, _INFER_VERSION = "/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"
PROTOCOL = Protocol(
    "open_inference",
    (_INFER, _INFER_VERSION),
    "Score images by the Open Inference Protocol, version 2, as JSON or with binary data.",
    _read,
    _write,
    accepts_media_type=lambda media_type: media_type in UNSPECIFIC_TYPES or is_json(media_type),
    media_types="application/json or application/octet-stream",
    parse=_parse,
    prefix="/v2",
    write_error=_write_error,
    router=router,
    openapi={
        _INFER: {"operationId": "infer", **tensors.INFER},
        _INFER_VERSION: {"operationId": "infer_version", **tensors.INFER},
    },
)
