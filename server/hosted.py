"""What the protocols of the hosted endpoint share: the path /score, where the content of a body tells them apart."""

from functools import partial

from server.codecs.body import FORM, UNSPECIFIC_TYPES, is_json
from server.openapi.predictions import FILE_PREDICTION, PREDICTION
from server.openapi.schemas import (
    BINARY,
    COLUMNS,
    IMAGE,
    IMAGE_FILE,
    INFERENCE_PARAMETERS,
    JSON,
    OPTIONS,
    SQUARE,
    any_of,
    array_of,
    json_reply,
    list_of,
    named,
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

_CELL = any_of(IMAGE, named("ImageCell", object_schema({"image_base64": IMAGE}, **OPTIONS)))
_TABLE = named(
    "ImageTable",
    object_schema({"columns": COLUMNS, "data": array_of(any_of(_CELL, array_of(_CELL)))}, index=list_of({})),
)
_VERSION_2 = named(
    "ScoreRequest",
    object_schema({"input_data": any_of(_TABLE, array_of(_CELL))}, inference_parameters=INFERENCE_PARAMETERS),
)
_VERSION_1 = named("ImageRequest", object_schema({"image": IMAGE}, **OPTIONS))
# an array for all requests but those of version 1
SCORE_REPLY = any_of(list_of(PREDICTION), FILE_PREDICTION)
_OPENAPI = {
    "operationId": "score",
    **request_body(
        {
            JSON: any_of(_VERSION_2, _VERSION_1),
            BINARY: IMAGE_FILE,
            "image/*": IMAGE_FILE,
            "multipart/form-data": named("ImageForm", object_schema({"image": IMAGE_FILE})),
        },
        examples={
            "version 2: any number of images": {"input_data": {"columns": ["image"], "data": [SQUARE]}},
            "version 1: one image": {"image": SQUARE},
        },
    ),
    **json_reply(SCORE_REPLY),
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
    openapi={SCORE: _OPENAPI},
)
