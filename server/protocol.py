"""Protocol: how one wire contract turns a body into cells and outcomes into a reply."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.engine.outcome import Failure, Outcome
from server.scoring import Cell


@dataclass(frozen=True, slots=True)
class Protocol:
    """A contract on `/score`; all three functions are pure.

    The content of a body is bytes for a raw picture, a dict for a JSON object, or a list with the files of a form.
    `accepts` tells whether it is meant for this contract, `read` raises ServiceError where it is not of its form,
    `write` takes the outcomes and the request id.
    """

    name: str
    accepts: Callable[[Any], bool]
    read: Callable[[Any], list[Cell]]
    write: Callable[[Sequence[Outcome], str], bytes]


def error_object(failure: Failure) -> dict[str, dict[str, str]]:
    """What stands in the place of a picture that is reported instead of rejected."""
    return {"error": {"code": failure.code, "message": failure.message}}


def json_array(outcomes: Sequence[Outcome], request_id: str) -> bytes:
    """Write the outcomes as a JSON array, an object for each picture."""
    objects = [
        json.dumps(error_object(outcome)).encode() if isinstance(outcome, Failure) else outcome for outcome in outcomes
    ]
    return b"[" + b", ".join(objects) + b"]"
