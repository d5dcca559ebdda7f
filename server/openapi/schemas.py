"""Parts of the API's description that several protocols share. They only describe: each protocol validates by itself.

A schema made by `named` becomes a component of that name, and so a type of that name in generated clients.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from explain.request.describe import ALGORITHMS

# a small red square, so that "Try it out" works without an image at hand
SQUARE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mM8oaHBgA0wMeAAg1MCAOA4ASjhBhuDAAAAAElFTkSuQmCC"

JSON = "application/json"
BINARY = "application/octet-stream"
HTML = "text/html"
PLAIN = "text/plain"
Schema = Mapping[str, Any]
Operation = dict[str, Any]  # a part of the description of an operation


def named(name: str, schema: Schema) -> Schema:
    """Return a schema that is described once, under a name of letters and digits."""
    return {"title": name, **schema}


def without_titles(schema: Schema) -> Schema:
    """Return a schema of pydantic without the titles that it derives from the names of fields."""
    return {
        key: without_titles(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def array_of(schema: Schema) -> Schema:
    """Return the schema of an array with at least one item."""
    return {"type": "array", "items": schema, "minItems": 1}


def list_of(schema: Schema) -> Schema:
    """Return the schema of an array, perhaps an empty one."""
    return {"type": "array", "items": schema}


def any_of(*schemas: Schema) -> Schema:
    """Return the schema of what fits one of several."""
    return {"anyOf": list(schemas)}


def object_schema(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Return the schema of an object with required and optional keys."""
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def open_object(description: str, **known: Schema) -> Schema:
    """Return the schema of an object that may hold any keys, some of them `known`."""
    return {"type": "object", "description": description, "properties": known, "additionalProperties": True}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}

IMAGE: Schema = {
    "type": "string",
    "format": "byte",
    "minLength": 1,
    "description": "An image in base64.",
    "examples": [SQUARE],
}
COLUMNS: Schema = {"type": "array", "items": TEXT, "examples": [["image"]]}
IMAGE_FILE: Schema = {"type": "string", "format": "binary"}
MODEL_EXPLAINABILITY: Schema = {"type": "boolean", "description": "Whether to explain, too."}
XAI_PARAMETERS = named(
    "XaiParameters",
    {
        **open_object(
            "How to explain. docs/explanations.md lists all keys.",
            xai_algorithm={"type": "string", "enum": list(ALGORITHMS)},
        ),
        "examples": [{"xai_algorithm": "gradcam"}, {"xai_algorithm": "gradcam", "against": "rest"}],
    },
)
INFERENCE_PARAMETERS = named(
    "InferenceParameters", open_object("What to set otherwise for a detector, such as `box_score_thresh`.")
)
OPTIONS: Mapping[str, Schema] = {
    "model_explainability": MODEL_EXPLAINABILITY,
    "xai_parameters": XAI_PARAMETERS,
    "inference_parameters": INFERENCE_PARAMETERS,
}
# of protocols whose requests have one such object for all images
REQUEST_PARAMETERS = named("RequestParameters", open_object("Options of all images of a request.", **OPTIONS))


def request_body(
    schemas: Mapping[str, Schema], *, required: bool = True, examples: Mapping[str, Any] | None = None
) -> Operation:
    """Return an operation's `requestBody`, given a schema for each media type, and examples of JSON with titles."""
    content = _content(schemas)
    if examples is not None:
        content[JSON]["examples"] = {
            re.sub(r"\W+", "_", summary): {"summary": summary, "value": value} for summary, value in examples.items()
        }
    return {"requestBody": {"required": required, "content": content}}


def reply(schemas: Mapping[str, Schema], *, error: Schema | None = None) -> Operation:
    """Return an operation's `responses`: 200 with a schema for each media type, and errors of another form."""
    responses: dict[str, Any] = {"200": {"description": "The reply.", "content": _content(schemas)}}
    return {"responses": responses | ({"default": {"content": _content({JSON: error})}} if error is not None else {})}


def json_reply(schema: Schema, *, error: Schema | None = None) -> Operation:
    """Return an operation's `responses` for a reply that is JSON."""
    return reply({JSON: schema}, error=error)


def _content(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in schemas.items()}


def parameter(location: str, name: str, *, required: bool = False) -> dict[str, Any]:
    """Return a text parameter; `location` is path, query or header. One that is not required may be empty."""
    example = {} if required else {"example": ""}
    return {"name": name, "in": location, "required": required, "schema": TEXT, **example}


def path_parameters(path: str) -> Sequence[dict[str, Any]]:
    """Return the parameters in braces of a path."""
    return [parameter("path", name, required=True) for name in re.findall(r"{(\w+)}", path)]
