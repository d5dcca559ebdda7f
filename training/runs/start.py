"""The start of a run: the weights that it begins with, and what its log and run.json say of them."""

from pathlib import Path
from typing import Any

from torch import nn

from models.architecture.architecture import Architecture, State
from models.errors import ModelError
from models.folder.layout import locate
from models.labels import Label
from training.hyperparameters.resolution import is_saved_model
from training.job import TrainingJob
from training.recipe import Recipe
from training.runs.options import RunOptions
from training.weights.runs import weights_of_job, weights_of_run
from training.weights.search import find_weights
from training.weights.starting_weights import StartingWeights
from training.weights.transfer import take_over

RANDOM = "random weights"


def starting_weights(job: TrainingJob, options: RunOptions) -> StartingWeights | None:
    """Return the weights that a run starts from: named ones, an earlier run's, or those on this machine; else None.

    TrainingError where named ones are not there or cannot be used.
    """
    given = options.weights
    if options.source_run is not None:
        given = str(weights_of_run(options.source_run, options.runs))
    if given is None and (path := weights_of_job(job.hyperparameters, job.file.absolute().parent, options.runs)):
        given = str(path)
    if given is None and is_saved_model(Path(job.model_name)) and not _has_weights(Path(job.model_name)):
        return None  # a description of a network alone
    size = getattr(job.hyperparameters, "model_size", None)
    return find_weights(given, job.model_name, model_size=size, download=options.download)


def start_from(
    weights: StartingWeights | None, recipe: Recipe, architecture: Architecture, labels: tuple[Label, ...]
) -> tuple[dict[str, Any] | str, str]:
    """Copy the weights that fit into the network; return what run.json says, and a sentence for the log.

    TrainingError where they are those of another network.
    """
    if weights is None:
        return RANDOM, f"starts from {RANDOM}"
    adapt = _inside if architecture.load is not None else architecture.adapt
    transfer = take_over(recipe.network, weights, labels, adapt)
    described = {
        "source": weights.source,
        "sha256": weights.sha256,
        "taken": len(transfer.taken),
        "fresh": list(transfer.fresh),
        "labels": list(transfer.labels),
    }
    return described, transfer.sentence(weights)


def _has_weights(folder: Path) -> bool:
    try:
        locate(folder)
    except ModelError:
        return False
    return True


def _inside(network: nn.Module, state: State) -> State:
    """Return tensors of transformers by their names inside the module that returns its logits."""
    return {f"network.{name}": tensor for name, tensor in state.items()}
