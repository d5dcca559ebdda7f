"""Outcome: the prediction of one image, or its failure. Reply: the outcomes of one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an image has no prediction. `code` is one of the error codes of the product."""

    code: str
    message: str


class RefusedError(Exception):
    """A request that the engine will not take in. `code` is one of the error codes of the product."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


# a prediction is the JSON object of the wire contract, which the engine encodes once
Outcome = bytes | Failure

STAGES = ("decode", "queue", "device", "encode")


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcomes of a request in the order of its images, and the seconds of its slowest image in each stage.

    Besides STAGES, an explanation may have `cpu`. Together they are the time from the arrival in the engine.
    """

    outcomes: Sequence[Outcome]
    stages: Mapping[str, float]
