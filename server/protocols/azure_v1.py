"""Version 1 of the hosted endpoint: one image, raw or as `{"image": BASE64}` -> one JSON object and a line feed."""

import json
from typing import Any

from server.codecs.base64_image import decode_base64
from server.codecs.image_inputs import EXPLAINS, image_input, is_explained
from server.codecs.outcomes import error_object
from server.hosted import hosted
from server.inference.scoring import ImageInput
from server.ipc.outcome import Failure, Outcome
from server.protocol import ProtocolRequest, ResponseBody, ScoreRequest, ScoreResult

_NO_EXPLANATION = b', "visualizations": null, "attributions": null'


def _read(request: ProtocolRequest) -> ScoreRequest:
    content: bytes | dict[str, Any] = request.content
    if isinstance(content, bytes):
        return ScoreRequest([ImageInput(content)])
    data = decode_base64(content["image"])
    return ScoreRequest([image_input(data, content, explains=is_explained(content.get(EXPLAINS)))])


def _write(result: ScoreResult) -> ResponseBody:
    # a bad image that is dropped leaves an empty body
    return ResponseBody(_line(result.outcomes[0], result.request_id) if result.outcomes else b"")


def _line(outcome: Outcome, request_id: str) -> bytes:
    # the hosted endpoint names a temporary file of its own; the request id is as unique, and is in the log too
    reply: dict[str, Any] = {"filename": request_id}
    if isinstance(outcome, Failure):
        return json.dumps(reply | error_object(outcome)).encode() + b"\n"
    # an explanation may be megabytes of JSON, so the line is joined from bytes and nothing is parsed
    head = json.dumps(reply).encode()[:-1] + b", "
    if b'"probs"' in outcome[:16] and b'"visualizations"' not in outcome:
        return head + outcome[1:-1] + _NO_EXPLANATION + b"}\n"
    return head + outcome[1:] + b"\n"


def _matches(content: Any) -> bool:
    return isinstance(content, bytes) or (isinstance(content, dict) and "image" in content)


PROTOCOL = hosted(
    "azure_v1",
    summary="Score one image, raw or as the JSON object of version 1.",
    read=_read,
    write=_write,
    matches=_matches,
)
