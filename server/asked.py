"""Reads what a request asks of a picture beside its score, by the same keys in every contract that has them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from explain.errors import ExplanationError
from explain.parameters import read_parameters
from server.engine.outcome import Failure
from server.errors import ServiceError
from server.scoring import Asked, Cell

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def asked(
    picture: bytes | Failure, content: Mapping[str, Any], *, explains: bool, common: Mapping[str, Any] = _NOTHING
) -> Cell:
    """Attach `inference_parameters` of a JSON object, over those `common` to all; and, if it `explains`, how.

    ServiceError where something is not valid, as far as that can be told without the model.
    """
    settings = {**common, **inference_parameters(content)}
    explain = _xai_parameters(content) if explains else None
    if isinstance(picture, Failure) or (explain is None and not settings):
        return picture
    return Asked(picture, explain, settings)


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
