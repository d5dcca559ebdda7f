"""The start of a run: the weights that it begins with, and what its log and run.json say of them."""

from typing import Any

from models.architecture.catalog import architecture
from models.labels import Label
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
    size = getattr(job.hyperparameters, "model_size", None)
    return find_weights(given, job.model_name, model_size=size, download=options.download)


def start_from(
    weights: StartingWeights | None, recipe: Recipe, model_name: str, labels: tuple[Label, ...]
) -> tuple[dict[str, Any] | str, str]:
    """Copy the weights that fit into the network; return what run.json says, and a sentence for the log.

    TrainingError where they are those of another network.
    """
    if weights is None:
        return RANDOM, f"starts from {RANDOM}"
    transfer = take_over(recipe.network, weights, labels, architecture(model_name).adapt)
    described = {
        "source": weights.source,
        "sha256": weights.sha256,
        "taken": len(transfer.taken),
        "fresh": list(transfer.fresh),
        "labels": list(transfer.labels),
    }
    return described, transfer.sentence(weights)
