"""Any number of labels per image: an independent sigmoid for each logit."""

from collections.abc import Sequence

from torch import Tensor

from models.labels import Label
from models.predictions import ClassScores, Prediction
from models.task import Task


def _prediction(logits: Tensor, labels: Sequence[Label]) -> Prediction:
    return ClassScores(logits.sigmoid().tolist(), list(labels))


TASK = Task("multilabel", "image-classification-multilabel", _prediction)
