"""Images of a request, with the explanations and settings that it asks for.

The keys for that, such as `xai_parameters`, are the same in all protocols.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from explain.errors import ExplanationError
from explain.request.parameter_types import read_boolean
from explain.request.parameters import ExplanationParameters, read_parameters
from server.codecs.base64_image import decode_base64
from server.codecs.json_text import parse_json
from server.errors import ServiceError
from server.inference.scoring import ImageInput
from server.ipc.outcome import Failure
from settings.excerpt import excerpt

_PARAMETER_OBJECTS = ("xai_parameters", "inference_parameters")
# as JSON; those of all images together have to fit into one frame to the engine
_MOST_PARAMETER_BYTES = 2**16
_BEFORE_OBJECTS = "\ufeff \t\r\n"
EXPLAINS = "model_explainability"
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
    if isinstance(value, str) and value.lstrip(_BEFORE_OBJECTS).startswith("{"):
        try:
            value = parse_json(value.lstrip(_BEFORE_OBJECTS))
        except ValueError as error:
            return Failure("base64_invalid", f"The cell starts like a JSON object but is none ({error}).")
    if not isinstance(value, dict):
        return image_input(decode_base64(value), {}, explains=False, common=common)
    if "image_base64" not in value:
        return Failure(
            "base64_invalid",
            f"The cell has the keys {excerpt([*value])}, but no 'image_base64'. Expected base64, or "
            '{"image_base64": BASE64} with perhaps model_explainability, xai_parameters and inference_parameters.',
        )
    return image_input(
        decode_base64(value["image_base64"]), value, explains=is_explained(value.get(EXPLAINS)), common=common
    )


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
    explains = (given or {}).get(EXPLAINS, "xai_parameters" in found)
    return is_explained(explains), found


def _object(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError as error:
        raise ServiceError("input_invalid", f"The parameter {key!r} is a text that is no JSON: {error}.") from None


def is_explained(given: Any) -> bool:
    """Read a `model_explainability`: true, false, or a word for one of them; null is false.

    ServiceError `xai_parameters_invalid` for anything else.
    """
    explains = False if given is None else read_boolean(given)
    if not isinstance(explains, bool):
        raise ServiceError(
            "xai_parameters_invalid", f"`{EXPLAINS}` is {excerpt(given)}; expected true or false. Null counts as false."
        )
    return explains


def inference_parameters(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `inference_parameters` of a JSON object, or none; ServiceError where they are not a small object."""
    given = options.get("inference_parameters")
    if given is not None and not isinstance(given, dict):
        raise ServiceError(
            "inference_parameters_invalid",
            f"`inference_parameters` is a {type(given).__name__}; expected an object such as "
            '{"box_score_thresh": 0.5}.',
        )
    _check_size("inference_parameters", given)
    return given or {}


def _xai_parameters(options: Mapping[str, Any]) -> ExplanationParameters:
    given = options.get("xai_parameters")
    _check_size("xai_parameters", given)
    try:
        return read_parameters(given)
    except ExplanationError as error:
        raise ServiceError(error.code, str(error)) from None


def _check_size(name: str, given: Any) -> None:
    if given and (size := len(json.dumps(given))) > _MOST_PARAMETER_BYTES:
        raise ServiceError(
            f"{name}_invalid", f"`{name}` has {size} bytes as JSON; expected at most {_MOST_PARAMETER_BYTES}."
        )
