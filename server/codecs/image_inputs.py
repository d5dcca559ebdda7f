"""Reads what a request asks of a picture beside its score, by the same keys in every contract that has them."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from explain.errors import ExplanationError
from explain.request.parameters import ExplanationParameters, read_parameters
from server.codecs.base64_image import decode_base64
from server.errors import ServiceError
from server.inference.scoring import ImageInput
from server.ipc.outcome import Failure

_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})

_OBJECTS = ("xai_parameters", "inference_parameters")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def asked(
    data: bytes | Failure, content: Mapping[str, Any], *, explains: bool, common: Mapping[str, Any] = _NOTHING
) -> ImageInput | Failure:
    """Attach `inference_parameters` of a JSON object, over those `common` to all; and, if it `explains`, how.

    ServiceError where something is not valid, as far as that can be told without the model.
    """
    settings = {**common, **inference_parameters(content)}
    explain = _xai_parameters(content) if explains else None
    return data if isinstance(data, Failure) else ImageInput(data, explain, settings)


def cell_of(value: Any, common: Mapping[str, Any]) -> ImageInput | Failure:
    """Read base64, or a cell that says more than the picture: {"image_base64": ..., "model_explainability": ...}.

    `common` are the `inference_parameters` of the whole request.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            return Failure("base64_invalid", f"The cell starts like a JSON object but is none ({error}).")
    if not isinstance(value, dict):
        return asked(decode_base64(value), {}, explains=False, common=common)
    explains = str(value.get("model_explainability", "false")).lower() in _TRUE
    return asked(decode_base64(value.get("image_base64")), value, explains=explains, common=common)


def parameters_of(given: Any, name: str = "parameters") -> tuple[bool, dict[str, Any]]:
    """Read the parameters of a contract that has one object for all: whether it asks why, and the rest for `asked`.

    `xai_parameters` and `inference_parameters` are objects, or JSON texts where values have to be simple; keys of the
    former may also stand by themselves. ServiceError where they are something else.
    """
    if given is not None and not isinstance(given, dict):
        raise ServiceError("input_invalid", f"`{name}` is a {type(given).__name__}; expected an object.")
    found = {key: _object(key, given[key]) for key in _OBJECTS if given and key in given}
    alone = {key: value for key, value in (given or {}).items() if key in ExplanationParameters.model_fields}
    together = found.get("xai_parameters", {})
    if alone and isinstance(together, dict):  # anything else is refused by `asked`
        found["xai_parameters"] = alone | together
    why = (given or {}).get("model_explainability", "xai_parameters" in found)
    return str(why).lower() in _TRUE, found


def _object(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ServiceError("input_invalid", f"The parameter {key!r} is a text that is no JSON: {error}.") from None


def inference_parameters(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a JSON object sets otherwise for its pictures; ServiceError where that is no object."""
    given = content.get("inference_parameters")
    if given is not None and not isinstance(given, dict):
        raise ServiceError(
            "inference_parameters_invalid",
            f"`inference_parameters` is a {type(given).__name__}; expected an object such as "
            '{"box_score_thresh": 0.5}.',
        )
    return given or {}


def _xai_parameters(content: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = content.get("xai_parameters")
    try:
        read_parameters(parameters)
    except ExplanationError as error:
        raise ServiceError(error.code, str(error)) from None
    return parameters or {}
