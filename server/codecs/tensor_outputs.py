"""Outcomes -> output tensors of the Open Inference Protocol.

Classifiers have `probs` and `label`; all models have `predictions`, the JSON object of `POST /score` for each image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from models.labels import Label, named
from server.codecs.outcomes import json_objects
from server.errors import ServiceError
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome

PREDICTIONS = "predictions"
_CLASSIFIER_OUTPUTS = ("probs", "label")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor. `values` are flat, the last dimension varying fastest; -1 in `shape` stands for any number."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any] = field(default_factory=list)

    def metadata(self) -> dict[str, Any]:
        """Return the tensor as a JSON object without its values."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def binary_data(self) -> bytes:
        """Return the values as binary data: FP32, or texts, each after its length."""
        if self.datatype == "FP32":
            return np.array(self.values, dtype="<f4").tobytes()
        texts = [str(value).encode() for value in self.values]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that a request names. It is written as `binary` data or JSON.

    `classes`, for `probs` only: write the so many highest as texts, by the classification extension; 0 writes all.
    """

    name: str
    binary: bool = False
    classes: int = 0


class _Scores(msgspec.Struct):
    """A classifier's prediction for an image; the decoder skips an explanation beside it."""

    probs: list[float]
    labels: list[Label]


def model_outputs(model: ModelFacts) -> list[Tensor]:
    """Return the outputs of a model as tensors without values."""
    found = [Tensor(PREDICTIONS, "BYTES", (-1,))]
    if model.classifies:
        found = [Tensor("probs", "FP32", (-1, len(model.labels))), Tensor("label", "BYTES", (-1,)), *found]
    return found


def default_outputs(model: ModelFacts, *, explains: bool) -> list[str]:
    """Return the names of the outputs for a request that names none."""
    return [*_CLASSIFIER_OUTPUTS] if model.classifies and not explains else [PREDICTIONS]


def output_tensor(output: RequestedOutput, outcomes: Sequence[Outcome], model: ModelFacts) -> Tensor:
    """Write the outcomes into a tensor; ServiceError `image_invalid` where one is a Failure and the tensor numeric."""
    if output.name == PREDICTIONS:
        texts = [each.decode() for each in json_objects(outcomes)]
        return Tensor(PREDICTIONS, "BYTES", (len(texts),), texts)
    scores = [_scores(outcome, position, output.name) for position, outcome in enumerate(outcomes)]
    if output.classes:
        return _classification(scores, min(output.classes, len(model.labels)))
    return _WRITERS[output.name](scores, model)


def _scores(outcome: Outcome, position: int, name: str) -> _Scores:
    if isinstance(outcome, Failure):
        raise ServiceError(
            "image_invalid",
            f"Picture {position} cannot be scored, and the output {name!r} cannot say so: {outcome.message} "
            f"Ask for {PREDICTIONS!r} alone to have errors in the places of pictures.",
        )
    return msgspec.json.decode(outcome, type=_Scores)


def _probs(scores: Sequence[_Scores], model: ModelFacts) -> Tensor:
    return Tensor("probs", "FP32", (len(scores), len(model.labels)), [prob for row in scores for prob in row.probs])


def _label(scores: Sequence[_Scores], model: ModelFacts) -> Tensor:
    best = [row.labels[max(range(len(row.probs)), key=row.probs.__getitem__)] for row in scores]
    return Tensor("label", "BYTES", (len(scores),), list(map(named, best)))


_WRITERS: Mapping[str, Callable[[Sequence[_Scores], ModelFacts], Tensor]] = {"probs": _probs, "label": _label}


def _classification(scores: Sequence[_Scores], count: int) -> Tensor:
    """Write the `count` highest probabilities of each image as PROBABILITY:INDEX:LABEL.

    https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
    """
    rows = [
        sorted(enumerate(zip(row.probs, row.labels, strict=True)), key=lambda each: -each[1][0])[:count]
        for row in scores
    ]
    texts = [f"{prob:f}:{index}:{label}" for row in rows for index, (prob, label) in row]
    return Tensor("probs", "BYTES", (len(scores), count), texts)
