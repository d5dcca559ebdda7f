"""What a model says of one picture, in the names and order of the wire contract."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassScores:
    """A probability in [0, 1] for every label, both in the order of training."""

    probs: list[float]
    labels: list[str]


Prediction = ClassScores
