"""What the protocols of the hosted endpoint share: the path /score, where the content of a body tells them apart."""

from functools import partial

from server.codecs.body import FORM, UNSPECIFIC_TYPES, is_json
from server.openapi.schemas import (
    COLUMNS,
    IMAGE,
    IMAGE_FILE,
    INFERENCE_PARAMETERS,
    REQUEST_PARAMETERS,
    array_of,
    object_schema,
    request_body,
)
from server.protocol import Protocol

SCORE = "/score"
# headers: the deployment that a request names, and how the run went
DEPLOYMENT = "azureml-model-deployment"
RUN_FAILED = "x-ms-run-function-failed"
RUN_MS = "x-ms-run-fn-exec-ms"
_MEDIA_TYPES = "application/json, image/*, application/octet-stream or multipart/form-data"

_OPTIONS = REQUEST_PARAMETERS["properties"]
_ITEM = {"anyOf": [IMAGE, object_schema({"image_base64": IMAGE}, **_OPTIONS)]}
_TABLE = object_schema(
    {"columns": COLUMNS, "data": array_of({"anyOf": [_ITEM, array_of(_ITEM)]})}, index={"type": "array"}
)
_VERSION_2 = object_schema(
    {"input_data": {"anyOf": [_TABLE, array_of(_ITEM)]}}, inference_parameters=INFERENCE_PARAMETERS
)
_VERSION_1 = object_schema({"image": IMAGE}, **_OPTIONS)
_OPENAPI = request_body(
    {
        "application/json": {"anyOf": [_VERSION_2, _VERSION_1]},
        "application/octet-stream": IMAGE_FILE,
        "image/*": IMAGE_FILE,
        "multipart/form-data": object_schema({"image": IMAGE_FILE}),
    }
)
_OPENAPI["requestBody"]["content"]["application/json"]["examples"] = {
    "input_data": {
        "summary": "version 2: any number of images",
        "value": {"input_data": {"columns": ["image"], "data": IMAGE["examples"]}},
    },
    "image": {"summary": "version 1: one image", "value": {"image": IMAGE["examples"][0]}},
}


def _accepts_media_type(media_type: str) -> bool:
    return (
        media_type in UNSPECIFIC_TYPES or media_type == FORM or media_type.startswith("image/") or is_json(media_type)
    )


# each protocol adds its name, summary, read, write and matches
hosted = partial(
    Protocol,
    paths=(SCORE,),
    accepts_media_type=_accepts_media_type,
    media_types=_MEDIA_TYPES,
    explain_key=b"model_explainability",
    openapi=_OPENAPI,
)
