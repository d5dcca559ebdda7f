"""Recipe: what one family of networks brings to the training loop.

The loop owns steps, learning rates, checkpoints and progress; a recipe owns batches, losses and evaluation. All that
is random in a batch comes from its StepPlan, so that a run that was interrupted goes on as if nothing had happened,
and so that several processes draw what one would draw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data.dataset import CheckedImage
from data.progress import ProgressReport
from models.folder.manifest import TaskName
from models.labels import Label
from training.moving_average import MovingAverage


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step of one process trains on, and its randomness.

    `indexes`: which examples, int64 [N]. `rngs`: one for each of them, for all that is drawn for it alone. `shared` is
    the same in all processes of a run, for what holds for a whole batch, such as its size. `progress` is the share of
    the training that is done, in [0, 1).
    """

    indexes: NDArray[np.int64]
    rngs: Sequence[np.random.Generator]
    shared: np.random.Generator
    progress: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a network is on the validation images.

    `metrics`: by their names at the hosted service, what a line of metrics.jsonl holds. `per_label`: by label, numbers
    by name. `confusion`: int64 [labels, labels], rows are the truth; detectors have one more, the last, for nothing.
    `predictions`: for each validation image a JSON object with `image_url` and what a reply would hold.
    """

    metrics: Mapping[str, float]
    per_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    confusion: NDArray[np.int64] | None = None
    predictions: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """What a recipe is built from.

    `hyperparameters` is the resolved schema of the recipe's family. `cache` is a folder for decoded images.
    `pretrained` says that weights follow, so that layers which only make sense with weights may stay as they are.
    """

    task: TaskName
    model_name: str
    hyperparameters: Any
    labels: tuple[Label, ...]
    training: tuple[CheckedImage, ...]
    validation: tuple[CheckedImage, ...]
    device: torch.device
    cache: Path
    report: ProgressReport
    pretrained: bool = False


class Recipe(Protocol):
    """One family's part in a run. Building it decodes images; it is used by one thread, but for `batch`."""

    network: nn.Module
    primary_metric: str
    example_count: int

    def average(self, network: nn.Module) -> MovingAverage | None:
        """Return a moving average of `self.network`, on its device, to be evaluated and published instead; or None.

        The loop calls this once, when the network has its first weights, and updates the average after each step.
        """

    def batch(self, plan: StepPlan) -> Any:
        """Return the inputs and targets of a step, nested tuples, lists, dicts or dataclasses of tensors on the CPU.

        May run in a thread of its own, ahead of the steps.
        """

    def losses(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Return the parts of the loss, scalars to be summed. `network` is `self.network`, perhaps wrapped."""

    def evaluate(self, network: nn.Module) -> Evaluation:
        """Score the validation images as a server would, with a network such as `self.network` in evaluation mode."""

    def checkpoint(self, network: nn.Module) -> dict[str, Any]:
        """Return `number_of_classes`, `specs` and `model_state` as AutoML for Images saves them, tensors on the CPU."""

    def settings(self) -> dict[str, Any]:
        """Return the content of settings.json."""


@dataclass(frozen=True, slots=True)
class RecipeFamily:
    """The networks that one recipe trains. `names` are those of architectures, or hold a `*`.

    `write` writes the network of a recipe to a folder in the form of its library. Without it, a model is written as
    AutoML for Images does.
    """

    names: tuple[str, ...]
    tasks: tuple[TaskName, ...]
    build: Callable[[TrainingSetup], Recipe]
    write: Callable[[Recipe, nn.Module, Path], None] | None = None
