"""What the contracts of the hosted endpoint share: one path, told apart by what a body holds."""

from functools import partial

from server.codecs.body import FORM, UNDECIDED, is_json
from server.openapi.schemas import COLUMNS, FILE, HOW, OTHERWISE, PICTURE, WHY, having, listed, taking
from server.protocol import Protocol

SCORE = "/score"
DEPLOYMENT = "azureml-model-deployment"  # the header that names one
RUN_FAILED = "x-ms-run-function-failed"
RUN_MS = "x-ms-run-fn-exec-ms"
_MEDIA_TYPES = "application/json, image/*, application/octet-stream or multipart/form-data"

_ASKED = {"model_explainability": WHY, "xai_parameters": HOW, "inference_parameters": OTHERWISE}
_CELL = {"anyOf": [PICTURE, having({"image_base64": PICTURE}, **_ASKED)]}
_TABLE = having({"columns": COLUMNS, "data": listed({"anyOf": [_CELL, listed(_CELL)]})}, index={"type": "array"})
_SECOND = having({"input_data": {"anyOf": [_TABLE, listed(_CELL)]}}, inference_parameters=OTHERWISE)
_FIRST = having({"image": PICTURE}, **_ASKED)
_OPENAPI = taking(
    {
        "application/json": {"anyOf": [_SECOND, _FIRST]},
        "application/octet-stream": FILE,
        "image/*": FILE,
        "multipart/form-data": having({"image": FILE}),
    }
)
_OPENAPI["requestBody"]["content"]["application/json"]["examples"] = {
    "input_data": {
        "summary": "version 2: any number of pictures",
        "value": {"input_data": {"columns": ["image"], "data": PICTURE["examples"]}},
    },
    "image": {"summary": "version 1: one picture", "value": {"image": PICTURE["examples"][0]}},
}


def _accepts_media_type(media_type: str) -> bool:
    return media_type in UNDECIDED or media_type == FORM or media_type.startswith("image/") or is_json(media_type)


# name, summary, read, write and matches are left to each contract
hosted = partial(
    Protocol,
    paths=(SCORE,),
    accepts_media_type=_accepts_media_type,
    media_types=_MEDIA_TYPES,
    explain_key=b"model_explainability",
    openapi=_OPENAPI,
)
