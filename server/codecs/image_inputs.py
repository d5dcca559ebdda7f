"""Images of a request, with the explanations and settings that it asks for.

The keys for that, such as `xai_parameters`, are the same in all protocols.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from explain.errors import ExplanationError
from explain.request.parameters import ExplanationParameters, read_parameters
from server.codecs.base64_image import decode_base64
from server.errors import ServiceError
from server.inference.scoring import ImageInput
from server.ipc.outcome import Failure

_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})

_PARAMETER_OBJECTS = ("xai_parameters", "inference_parameters")
_NONE: Mapping[str, Any] = MappingProxyType({})


def image_input(
    data: bytes | Failure, options: Mapping[str, Any], *, explains: bool, common: Mapping[str, Any] = _NONE
) -> ImageInput | Failure:
    """Return an image with the `inference_parameters` among its `options` and, if it `explains`, the `xai_parameters`.

    Options overrule the inference parameters `common` to all images. ServiceError where something is not valid, as far
    as that can be told without the model.
    """
    return image_inputs([data], options, explains=explains, common=common)[0]


def image_inputs(
    files: Sequence[bytes | Failure],
    options: Mapping[str, Any],
    *,
    explains: bool,
    common: Mapping[str, Any] = _NONE,
) -> list[ImageInput | Failure]:
    """Return images that share their `options`, which are validated once; see `image_input`."""
    settings = {**common, **inference_parameters(options)}
    explain = _xai_parameters(options) if explains else None
    return [file if isinstance(file, Failure) else ImageInput(file, explain, settings) for file in files]


def parse_item(value: Any, common: Mapping[str, Any]) -> ImageInput | Failure:
    """Parse base64, or an object with options, perhaps as a JSON text: {"image_base64": ..., "xai_parameters": ...}.

    `common` are the `inference_parameters` of the whole request.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            return Failure("base64_invalid", f"The cell starts like a JSON object but is none ({error}).")
    if not isinstance(value, dict):
        return image_input(decode_base64(value), {}, explains=False, common=common)
    explains = str(value.get("model_explainability", "false")).lower() in _TRUE
    return image_input(decode_base64(value.get("image_base64")), value, explains=explains, common=common)


def shared_options(given: Any, name: str = "parameters") -> tuple[bool, dict[str, Any]]:
    """Read the one object that a protocol has for all images: whether to explain, and the options for `image_input`.

    `xai_parameters` and `inference_parameters` are objects, or JSON texts where a client can send simple values only.
    Keys of `xai_parameters` may also stand in the object itself. ServiceError where something is of another type.
    """
    if given is not None and not isinstance(given, dict):
        raise ServiceError("input_invalid", f"`{name}` is a {type(given).__name__}; expected an object.")
    found = {key: _object(key, given[key]) for key in _PARAMETER_OBJECTS if given and key in given}
    alone = {key: value for key, value in (given or {}).items() if key in ExplanationParameters.model_fields}
    together = found.get("xai_parameters", {})
    if alone and isinstance(together, dict):  # image_input refuses anything else
        found["xai_parameters"] = alone | together
    explains = (given or {}).get("model_explainability", "xai_parameters" in found)
    return str(explains).lower() in _TRUE, found


def _object(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ServiceError("input_invalid", f"The parameter {key!r} is a text that is no JSON: {error}.") from None


def inference_parameters(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `inference_parameters` of a JSON object, or none; ServiceError where they are not an object."""
    given = options.get("inference_parameters")
    if given is not None and not isinstance(given, dict):
        raise ServiceError(
            "inference_parameters_invalid",
            f"`inference_parameters` is a {type(given).__name__}; expected an object such as "
            '{"box_score_thresh": 0.5}.',
        )
    return given or {}


def _xai_parameters(options: Mapping[str, Any]) -> ExplanationParameters:
    try:
        return read_parameters(options.get("xai_parameters"))
    except ExplanationError as error:
        raise ServiceError(error.code, str(error)) from None
