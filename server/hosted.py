"""What the contracts of the hosted endpoint share: one path, told apart by what a body holds."""

from functools import partial
from typing import Any

from server.inputs.body import FORM, UNDECIDED, is_json
from server.protocol import Protocol

SCORE = "/score"
DEPLOYMENT = "azureml-model-deployment"  # the header that names one
RUN_FAILED = "x-ms-run-function-failed"
RUN_MS = "x-ms-run-fn-exec-ms"
_TYPES = "application/json, image/*, application/octet-stream or multipart/form-data"

_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {
                    "input_data": {
                        "summary": "version 2: any number of pictures",
                        "value": {"input_data": {"columns": ["image"], "data": ["<base64>"]}},
                    },
                    "image": {"summary": "version 1: one picture", "value": {"image": "<base64>"}},
                },
            },
            "application/octet-stream": _PICTURE,
            "image/*": _PICTURE,
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


def _takes(media_type: str) -> bool:
    return media_type in UNDECIDED or media_type == FORM or media_type.startswith("image/") or is_json(media_type)


# name, does, read, write and accepts are left to each contract
hosted = partial(Protocol, paths=(SCORE,), takes=_takes, types=_TYPES, openapi=_OPENAPI)
