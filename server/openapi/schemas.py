"""What the API page says of requests, where several contracts say the same. What is accepted, each decides itself."""

import re
from collections.abc import Mapping
from typing import Any

# a small red square, so that the page can be tried as it is
_SQUARE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mM8oaHBgA0wMeAAg1MCAOA4ASjhBhuDAAAAAElFTkSuQmCC"

# of all operations; each contract has words of its own
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error, which says what was given, what was expected and what to do.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}

Schema = Mapping[str, Any]

PICTURE: Schema = {"type": "string", "format": "byte", "description": "A picture in base64.", "examples": [_SQUARE]}
COLUMNS: Schema = {"type": "array", "items": {"type": "string"}, "examples": [["image"]]}
FILE: Schema = {"type": "string", "format": "binary"}
WHY: Schema = {"type": "boolean", "description": "Whether to explain, too."}
HOW: Schema = {"type": "object", "description": "How to explain.", "examples": [{"xai_algorithm": "gradcam"}]}
OTHERWISE: Schema = {"type": "object", "description": "What to set otherwise for a detector."}
# of contracts that have one object for all
PARAMETERS: Schema = {
    "type": "object",
    "properties": {"model_explainability": WHY, "xai_parameters": HOW, "inference_parameters": OTHERWISE},
}


def listed(schema: Schema) -> Schema:
    """Describe a list of one or more."""
    return {"type": "array", "items": schema, "minItems": 1}


def having(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Describe an object with these keys, of which some may be left out."""
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def taking(types: Mapping[str, Schema]) -> dict[str, Any]:
    """Describe an operation by its body: a schema for each content type."""
    return {"requestBody": {"required": True, "content": {name: {"schema": schema} for name, schema in types.items()}}}


def parameter(place: str, name: str, *, required: bool = False) -> dict[str, Any]:
    """Describe a text in the path, the query or the headers, which is its place."""
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}}


def parameters_in(path: str) -> list[dict[str, Any]]:
    """Describe the parameters of a path."""
    return [parameter("path", name, required=True) for name in re.findall(r"{(\w+)}", path)]
