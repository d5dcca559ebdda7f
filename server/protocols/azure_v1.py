"""Version 1 of the hosted contract: one picture, raw or as `{"image": BASE64}` -> one JSON object and a line feed."""

import json
from collections.abc import Sequence
from typing import Any

from server.base64_image import decode_base64
from server.engine.outcome import Failure, Outcome
from server.errors import ServiceError
from server.protocol import Protocol, error_object
from server.scoring import Cell

_NO_EXPLANATION = {"visualizations": None, "attributions": None}


def _read(content: bytes | dict[str, Any]) -> list[Cell]:
    if isinstance(content, bytes):
        return [content]
    if content.get("model_explainability"):  # by truth value, as the original does: "false" counts as true
        raise ServiceError(
            "explanations_unavailable", "This server scores without explanations. Leave `model_explainability` out."
        )
    return [decode_base64(content["image"])]


def _write(outcomes: Sequence[Outcome], request_id: str) -> bytes:
    if not outcomes:  # a bad picture that is dropped leaves an empty body
        return b""
    # the original names the temporary file it wrote; the request id is as unique, and leads to the log
    reply: dict[str, Any] = {"filename": request_id}
    outcome = outcomes[0]
    if isinstance(outcome, Failure):
        return json.dumps(reply | error_object(outcome)).encode() + b"\n"
    reply |= json.loads(outcome)
    if "probs" in reply:
        reply |= _NO_EXPLANATION
    return json.dumps(reply).encode() + b"\n"


def _accepts(content: Any) -> bool:
    return isinstance(content, bytes) or (isinstance(content, dict) and "image" in content)


PROTOCOL = Protocol("azure_v1", _accepts, _read, _write)
