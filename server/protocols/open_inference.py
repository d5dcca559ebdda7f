"""The Open Inference Protocol, version 2 (https://github.com/kserve/open-inference-protocol), with binary tensors.

The input `image` holds encoded pictures as BYTES, in JSON as base64, or pixels as UINT8 [N, H, W, 3]. Outputs are
`probs` and `label` of classifiers, and for all models `predictions`, the JSON object of `POST /score` for each picture.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from server.asked import asked, parameters_of
from server.body import Body, is_json, parsed_object
from server.context import Context
from server.deployments import Deployment
from server.engine.facts import ModelFacts
from server.engine.outcome import Failure, Outcome
from server.errors import ServiceError
from server.protocol import Answer, Call, Protocol, Wanted, Written, error_object
from server.scoring import Cell
from server.tensors import FORM, Tensor, mapping, pictures_of

_HEADER = "inference-header-content-length"


@dataclass(frozen=True, slots=True)
class _Content:
    """The JSON of a request, and what follows it."""

    head: Mapping[str, Any]
    binary: bytes = b""


@dataclass(frozen=True, slots=True)
class _Note:
    """What a reply repeats, and which outputs are wanted how: name -> whether as binary data."""

    path: Mapping[str, str]
    request: str | None
    outputs: Mapping[str, bool] | None
    binary: bool
    explained: bool


async def _parse(body: Body) -> _Content:
    length = body.headers.get(_HEADER)
    if length is None:
        return _Content(await parsed_object(body.data))
    if not length.isdecimal() or int(length) > len(body.data):
        raise ServiceError(
            "input_invalid", f"The header {_HEADER} is {length!r}, but the body has {len(body.data)} bytes."
        )
    return _Content(await parsed_object(body.data[: int(length)]), body.data[int(length) :])


def _read(call: Call) -> Wanted:
    content: _Content = call.content
    given = content.head.get("inputs")
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        raise ServiceError("input_invalid", f"`inputs` is not a list of one tensor. {FORM}")
    tensor = given[0]
    if tensor.get("name", "image") != "image":
        raise ServiceError("input_invalid", f"There is no input {tensor['name']!r}. {FORM}")
    pictures = pictures_of(tensor, content.binary)
    explains, parameters = parameters_of(content.head.get("parameters"))
    cells: list[Cell] = [asked(picture, parameters, explains=explains) for picture in pictures]
    return Wanted(cells, _note(content.head, call.path, explains))


def _note(head: Mapping[str, Any], path: Mapping[str, str], explained: bool) -> _Note:
    request, binary = head.get("id"), bool(mapping(head.get("parameters")).get("binary_data_output"))
    wanted = head.get("outputs")
    if request is not None and not isinstance(request, str):
        raise ServiceError("input_invalid", f"`id` is a {type(request).__name__}; expected a text.")
    if wanted is None:
        return _Note(path, request, None, binary, explained)
    if not isinstance(wanted, list) or not all(isinstance(each, dict) and "name" in each for each in wanted):
        raise ServiceError("input_invalid", '`outputs` is not a list of tensors. Expected [{"name": "predictions"}].')
    outputs = {str(each["name"]): bool(mapping(each.get("parameters")).get("binary_data", binary)) for each in wanted}
    return _Note(path, request, outputs, binary, explained)


def _write(answer: Answer) -> Written:
    note: _Note = answer.note
    possible = _tensors(answer.outcomes, answer.model)
    wanted = note.outputs
    if wanted is None:
        names = ["predictions"] if note.explained or not answer.model.classifies else ["probs", "label"]
        wanted = dict.fromkeys(names, note.binary)
    for name in wanted:
        if name not in possible:
            raise ServiceError("input_invalid", f"There is no output {name!r}. Known: {', '.join(possible)}.")
    outputs, blobs = [], []
    for name, as_binary in wanted.items():
        output = possible[name].described()
        if as_binary:
            blobs.append(possible[name].binary())
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = list(possible[name].values)
        outputs.append(output)
    head: dict[str, Any] = {"model_name": note.path["model"], "model_version": str(answer.version or 1)}
    if note.request is not None:
        head["id"] = note.request
    text = json.dumps(head | {"outputs": outputs}).encode()
    if not blobs:
        return Written(text)
    return Written(b"".join([text, *blobs]), "application/octet-stream", {_HEADER: str(len(text))})


def _tensors(outcomes: Sequence[Outcome], model: ModelFacts) -> dict[str, Tensor]:
    """Make all outputs that there can be; those of classifiers only where every picture was scored."""
    rows: list[Any] = [
        error_object(each) if isinstance(each, Failure) else msgspec.json.decode(each) for each in outcomes
    ]
    count = len(rows)
    tensors = {"predictions": Tensor("predictions", "BYTES", (count,), [json.dumps(row) for row in rows])}
    if model.classifies and all("probs" in row for row in rows):
        probs = [prob for row in rows for prob in row["probs"]]
        best = [max(zip(row["probs"], row["labels"], strict=True))[1] for row in rows]
        tensors["probs"] = Tensor("probs", "FP32", (count, len(model.labels)), probs)
        tensors["label"] = Tensor("label", "BYTES", (count,), best)
    return tensors


def _fails(error: ServiceError, request_id: str) -> bytes:
    return json.dumps({"error": error.message}).encode()


router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])


@router.get("")
async def server_metadata() -> JSONResponse:
    """Name the server and what it knows beyond the protocol."""
    return JSONResponse(
        {"name": "sightglass", "version": installed("sightglass"), "extensions": ["binary_tensor_data"]}
    )


@router.get("/health/live")
async def server_live() -> JSONResponse:
    """Answer 200 while the process is able to answer at all."""
    return JSONResponse({"live": True})


@router.get("/health/ready")
async def server_ready(request: Request) -> JSONResponse:
    """Answer 200 only while a score would succeed."""
    _context(request).require_ready()
    return JSONResponse({"ready": True})


@router.get("/models/{model}")
@router.get("/models/{model}/versions/{version}", include_in_schema=False)
async def model_metadata(request: Request) -> JSONResponse:
    """Describe a deployment: its version, its input and its outputs."""
    found = _deployment(request)
    facts = found.model
    outputs = [Tensor("predictions", "BYTES", (-1,))]
    if facts.classifies:
        outputs = [Tensor("probs", "FP32", (-1, len(facts.labels))), Tensor("label", "BYTES", (-1,)), *outputs]
    return JSONResponse(
        {
            "name": found.name,
            "versions": [str(found.row.version or 1)],
            "platform": f"sightglass_{facts.task or 'loading'}",
            "inputs": [Tensor("image", "BYTES", (-1,)).described()],
            "outputs": [output.described() for output in outputs],
            "parameters": {"architecture": facts.architecture, "labels": list(facts.labels), **dict(facts.sizes)},
        }
    )


@router.get("/models/{model}/ready")
@router.get("/models/{model}/versions/{version}/ready", include_in_schema=False)
async def model_ready(request: Request) -> JSONResponse:
    """Answer 200 only while this deployment would score."""
    found = _deployment(request)
    if not found.engines.ready:
        raise ServiceError("engine_unavailable", f"Not ready: {found.engines.reason}.")
    return JSONResponse({"name": found.name, "ready": True})


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def _deployment(request: Request) -> Deployment:
    return _context(request).deployments.named(request.path_params["model"], request.path_params.get("version"))


PROTOCOL = Protocol(
    "open_inference",
    ("/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"),
    "Score pictures by the Open Inference Protocol, version 2, as JSON or with binary data.",
    _read,
    _write,
    takes=lambda media_type: media_type in ("", "application/octet-stream") or is_json(media_type),
    types="application/json or application/octet-stream",
    parse=_parse,
    prefix="/v2",
    fails=_fails,
    router=router,
    openapi={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
