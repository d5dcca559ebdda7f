"""Reads the two keys of a request that ask for an explanation, the same in every contract that has them."""

from typing import Any

from explain.errors import ExplanationError
from explain.parameters import read_parameters
from server.engine.outcome import Failure
from server.errors import ServiceError
from server.scoring import Cell, Explain


def with_explanation(picture: bytes | Failure, content: dict[str, Any]) -> Cell:
    """Attach what `xai_parameters` of a JSON object ask for; ServiceError where they are not valid."""
    parameters = content.get("xai_parameters")
    try:
        read_parameters(parameters)
    except ExplanationError as error:
        raise ServiceError(error.code, str(error)) from None
    return picture if isinstance(picture, Failure) else Explain(picture, parameters or {})
