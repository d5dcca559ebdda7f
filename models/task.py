"""Task: what the outputs of a network mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.folder.manifest import TaskName
from models.labels import Label
from models.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Task:
    """`name` is what a manifest calls the task, `hosted_name` what AutoML for Images calls it.

    `prediction(output, labels)` turns the output for one image, logits float32 [C] or Instances, into the content of a
    reply. `slow_to_encode` says that this takes long enough to share cores with the device in turns.
    """

    name: TaskName
    hosted_name: str
    prediction: Callable[[Any, Sequence[Label]], Prediction]
    slow_to_encode: bool = False
