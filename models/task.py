"""Task: what the outputs of a network mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from models.manifest import TaskName
from models.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Task:
    """`name` is what a manifest calls the task, `hosted_name` what AutoML for Images calls it.

    `prediction(logits, labels)` turns the logits [C] of one picture into what a client is told.
    """

    name: TaskName
    hosted_name: str
    prediction: Callable[[Tensor, Sequence[str]], Prediction]
