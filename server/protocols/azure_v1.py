"""Version 1 of the hosted contract: one picture, raw or as `{"image": BASE64}` -> one JSON object and a line feed."""

import json
from collections.abc import Sequence
from typing import Any

from server.asked import asked
from server.base64_image import decode_base64
from server.engine.outcome import Failure, Outcome
from server.protocol import Protocol, error_object
from server.scoring import Cell

_NO_EXPLANATION = b', "visualizations": null, "attributions": null'


def _read(content: bytes | dict[str, Any]) -> list[Cell]:
    if isinstance(content, bytes):
        return [content]
    picture = decode_base64(content["image"])
    # by truth value, as the original does: "false" counts as true
    return [asked(picture, content, explains=bool(content.get("model_explainability")))]


def _write(outcomes: Sequence[Outcome], request_id: str) -> bytes:
    if not outcomes:  # a bad picture that is dropped leaves an empty body
        return b""
    # the original names the temporary file it wrote; the request id is as unique, and leads to the log
    reply: dict[str, Any] = {"filename": request_id}
    outcome = outcomes[0]
    if isinstance(outcome, Failure):
        return json.dumps(reply | error_object(outcome)).encode() + b"\n"
    # an explanation may be megabytes of JSON: it is put together, not parsed
    head = json.dumps(reply).encode()[:-1] + b", "
    if b'"probs"' in outcome[:16] and b'"visualizations"' not in outcome:
        return head + outcome[1:-1] + _NO_EXPLANATION + b"}\n"
    return head + outcome[1:] + b"\n"


def _accepts(content: Any) -> bool:
    return isinstance(content, bytes) or (isinstance(content, dict) and "image" in content)


PROTOCOL = Protocol("azure_v1", _accepts, _read, _write)
