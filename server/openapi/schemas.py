"""Schemas for the API page that several protocols share. They only describe: each protocol validates by itself."""

import re
from collections.abc import Mapping
from typing import Any

# a small red square, so that "Try it out" works without an image at hand
_SQUARE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mM8oaHBgA0wMeAAg1MCAOA4ASjhBhuDAAAAAElFTkSuQmCC"

# the response of every operation; each protocol has an error form of its own
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error, which says what was given, what was expected and what to do.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}

Schema = Mapping[str, Any]

IMAGE: Schema = {"type": "string", "format": "byte", "description": "An image in base64.", "examples": [_SQUARE]}
COLUMNS: Schema = {"type": "array", "items": {"type": "string"}, "examples": [["image"]]}
IMAGE_FILE: Schema = {"type": "string", "format": "binary"}
MODEL_EXPLAINABILITY: Schema = {"type": "boolean", "description": "Whether to explain, too."}
XAI_PARAMETERS: Schema = {
    "type": "object",
    "description": "How to explain.",
    "examples": [{"xai_algorithm": "gradcam"}],
}
INFERENCE_PARAMETERS: Schema = {"type": "object", "description": "What to set otherwise for a detector."}
# of protocols whose requests have one such object for all images
REQUEST_PARAMETERS: Schema = {
    "type": "object",
    "properties": {
        "model_explainability": MODEL_EXPLAINABILITY,
        "xai_parameters": XAI_PARAMETERS,
        "inference_parameters": INFERENCE_PARAMETERS,
    },
}


def array_of(schema: Schema) -> Schema:
    """Return the schema of an array with at least one item."""
    return {"type": "array", "items": schema, "minItems": 1}


def object_schema(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Return the schema of an object with required and optional keys."""
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def request_body(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """Return an operation's `requestBody`, given a schema for each media type."""
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def parameter(location: str, name: str, *, required: bool = False) -> dict[str, Any]:
    """Return a text parameter; `location` is path, query or header."""
    return {"name": name, "in": location, "required": required, "schema": {"type": "string"}}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Return the parameters in braces of a path."""
    return [parameter("path", name, required=True) for name in re.findall(r"{(\w+)}", path)]
