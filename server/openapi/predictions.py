"""Schemas of replies: what the server says of an image, and its errors."""

from typing import Any

from server.openapi.schemas import (
    INTEGER,
    JSON,
    NULL,
    NUMBER,
    TEXT,
    Schema,
    any_of,
    list_of,
    named,
    object_schema,
    open_object,
)

_LABEL = any_of(TEXT, INTEGER)
_BOX = named("Box", object_schema(dict.fromkeys(("topX", "topY", "bottomX", "bottomY"), NUMBER)))
_OBJECT = named(
    "DetectedObject",
    object_schema(
        {"box": _BOX, "label": _LABEL, "score": NUMBER},
        polygon=list_of(list_of(NUMBER)),
        mask={"type": "string", "format": "byte"},
    ),
)
_EXPLANATION = named(
    "Explanation",
    object_schema(
        {"label": _LABEL, "target": any_of(INTEGER, NULL), "xai_algorithm": TEXT, "notes": list_of(TEXT)},
        confidence=NUMBER,
        score=NUMBER,
        box=_BOX,
        matched_iou=NUMBER,
        aspect=TEXT,
        forward_passes=INTEGER,
        energy_in_box=NUMBER,
        energy_in_mask=NUMBER,
        pointing={"type": "boolean"},
        n_steps=any_of(INTEGER, NULL),
        completeness_gap=any_of(NUMBER, NULL),
        against=_LABEL,
        agreement=NUMBER,
        quality=open_object("How the score reacts when the most important pixels are added or removed."),
    ),
)
_IMAGE_ERROR = named("ImageError", object_schema({"code": TEXT, "message": TEXT}))
_PARTS: dict[str, Schema] = {
    "probs": {**list_of(NUMBER), "description": "Of a classifier: a probability for each of `labels`."},
    "labels": list_of(_LABEL),
    "boxes": {**list_of(_OBJECT), "description": "Of a detector."},
    "visualizations": {
        "anyOf": [TEXT, list_of(any_of(TEXT, NULL)), NULL],
        "description": "A PNG in base64, or one for each explained label or box.",
    },
    "attributions": {"description": "Numbers for each pixel, as `attributions_format` asks for them."},
    "explanations": list_of(_EXPLANATION),
    "error": _IMAGE_ERROR,
}
PREDICTION = named(
    "Prediction",
    open_object(
        "What a model says of an image: `probs` and `labels`, or `boxes`; with --bad-images report, `error`. Hugging "
        "Face models trained by AutoML have the keys `0`, `1` and so on instead, each with `label` and `score`.",
        **_PARTS,
    ),
)
FILE_PREDICTION = named(
    "FilePrediction",
    {
        **open_object("The prediction for the image of a request of version 1.", filename=TEXT, **_PARTS),
        "required": ["filename"],
    },
)

_DETAIL = named("ErrorDetail", object_schema({"position": INTEGER, "code": TEXT, "message": TEXT}))
ERROR = named("Error", object_schema({"message": TEXT, "code": TEXT, "request_id": TEXT}, details=list_of(_DETAIL)))
# the form of KServe's and the Open Inference Protocol
PROTOCOL_ERROR = named("ProtocolError", object_schema({"error": TEXT}))
# a response of every operation, whose body add_errors describes: the web framework would merge two descriptions of it
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"description": "An error, which says what was given, what was expected and what to do."}
}


def add_errors(description: dict[str, Any]) -> None:
    """Describe the errors of all operations of an OpenAPI description but for those whose protocol has its own form."""
    for operations in description["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"].setdefault("content", {JSON: {"schema": ERROR}})
