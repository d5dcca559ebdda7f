"""Tensors of the Open Inference Protocol that replies consist of: what there is, and how it is written.

Classifiers have `probs` and `label`; all models have `predictions`, the JSON object of `POST /score` for each picture.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from server.codecs.outcomes import json_objects
from server.errors import ServiceError
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome

PREDICTIONS = "predictions"
_OF_CLASSIFIERS = ("probs", "label")


@dataclass(frozen=True, slots=True)
class Tensor:
    """An output. `values` are in the order of the last dimension first; `shape` has -1 where any number is possible."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """Return what the protocol says of a tensor before its data."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def binary(self) -> bytes:
        """Return the values as they are in binary data: FP32, or texts each after its length."""
        if self.datatype == "FP32":
            return np.array(self.values, dtype="<f4").tobytes()
        texts = [str(value).encode() for value in self.values]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


@dataclass(frozen=True, slots=True)
class Output:
    """An output that a request wants: as binary data, and of `probs` only the `classes` highest, as texts, if not 0."""

    name: str
    binary: bool = False
    classes: int = 0


class _Scores(msgspec.Struct):
    """What classifiers say of a picture; an explanation beside it is passed over."""

    probs: list[float]
    labels: list[str]


def outputs_of(model: ModelFacts) -> list[Tensor]:
    """Describe the outputs that a model has."""
    found = [Tensor(PREDICTIONS, "BYTES", (-1,))]
    if model.classifies:
        found = [Tensor("probs", "FP32", (-1, len(model.labels))), Tensor("label", "BYTES", (-1,)), *found]
    return found


def usual_outputs(model: ModelFacts, *, explained: bool) -> list[str]:
    """Return the names of the outputs that a request gets which names none."""
    return [*_OF_CLASSIFIERS] if model.classifies and not explained else [PREDICTIONS]


def written(output: Output, outcomes: Sequence[Outcome], model: ModelFacts) -> Tensor:
    """Make an output of the outcomes; ServiceError `image_invalid` where it cannot hold an error among them."""
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
    return Tensor("label", "BYTES", (len(scores),), best)


_WRITERS: Mapping[str, Callable[[Sequence[_Scores], ModelFacts], Tensor]] = {"probs": _probs, "label": _label}


def _classification(scores: Sequence[_Scores], count: int) -> Tensor:
    """Write the `count` highest probabilities of each picture as PROBABILITY:INDEX:LABEL.

    https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
    """
    rows = [
        sorted(enumerate(zip(row.probs, row.labels, strict=True)), key=lambda each: -each[1][0])[:count]
        for row in scores
    ]
    texts = [f"{prob:f}:{index}:{label}" for row in rows for index, (prob, label) in row]
    return Tensor("probs", "BYTES", (len(scores), count), texts)
