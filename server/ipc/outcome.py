"""Outcome: what became of one picture, and Reply: what became of one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a picture has no prediction. `code` is one of the error codes of the product."""

    code: str
    message: str


class RefusedError(Exception):
    """A request that the engine will not take in. `code` is one of the error codes of the product."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


# a prediction is the JSON object of the wire contract, encoded once, where it was computed
Outcome = bytes | Failure

STAGES = ("decode", "queue", "device", "encode")


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcomes of a request in the order of its pictures, and the seconds its slowest picture spent per stage."""

    outcomes: Sequence[Outcome]
    stages: Mapping[str, float]
