"""One label per image: softmax over the logits."""

from collections.abc import Sequence

from torch import Tensor

from models.labels import Label
from models.predictions import ClassScores, Prediction
from models.task import Task


def _prediction(logits: Tensor, labels: Sequence[Label]) -> Prediction:
    return ClassScores(logits.softmax(dim=0).tolist(), list(labels))


TASK = Task("multiclass", "image-classification", _prediction)
