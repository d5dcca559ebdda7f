"""Chooses the runtime that computes scores: at once where the choice is cached, otherwise while the engine serves."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.loaded import LoadedModel
from models.runtime.precision import precisions
from models.runtime.runtime import EAGER, ComputeOptions
from server.cores import cpu_threads
from server.engine.device import OnDevice
from server.engine.pipeline.pipeline import Pipeline
from server.engine.startup.assembly import batch_limits, costs
from server.engine.startup.tuner import Tuner, open_cache
from server.engine.startup.warm_up import Timings
from server.ipc.process_config import ProcessConfig
from settings.server import ServerSettings

logger = logging.getLogger(__name__)

_POLL_S = 0.05


def choose_at_start(
    config: ProcessConfig, model: LoadedModel, on_device: OnDevice[Any]
) -> tuple[LoadedModel, Tuner | None]:
    """Return the model with the runtime that the settings name, or that was the fastest at an earlier start.

    Where the fastest runtime, or which precision `auto` is, is not known, the model stays eager, and a tuner is
    returned that measures it. Raises ModelError where a runtime that the settings name cannot be used.
    """
    settings = config.settings
    if not has_choice(settings):
        return model, None
    tuner = build_tuner(config, model, config.address.parent / "runtimes", on_device)
    chosen = tuner.start(settings.runtime)
    return (model, tuner) if chosen is None else (chosen, None)


def has_choice(settings: ServerSettings) -> bool:
    """Whether anything but the loaded model may compute scores."""
    return settings.runtime != EAGER or len(precisions(settings.precision)) > 1


def build_tuner(config: ProcessConfig, model: LoadedModel, fallback: Path, on_device: OnDevice[Any]) -> Tuner:
    """Build the tuner of a loaded model. Where the cache of the settings cannot be used, it is in `fallback`."""
    settings = config.settings
    choices = precisions(settings.precision)
    options = ComputeOptions(model.device, model.precision, cpu_threads(settings))
    among = [settings.runtime, *(each.name for each in choices)] if len(choices) > 1 else []
    cache = open_cache(settings.cache_folder, model.definition, options, fallback=fallback, among=among)
    return Tuner(config.folder, model, options, cache, precisions=choices, on_device=on_device)


def tune(
    tuner: Tuner,
    sizes: Sequence[int],
    pipeline: Pipeline,
    settings: ServerSettings,
    changed: Callable[[LoadedModel], None],
) -> None:
    """Find the fastest runtime for batches of these sizes, and use it. Each step waits until no explanation is left.

    `changed` is called with the model as each new runtime computes it.
    """

    def adopt(model: LoadedModel, timings: Timings) -> None:
        pipeline.replace_model(model, batch_limits(model, timings, settings), costs(model, timings))
        changed(model)

    try:
        tuner.tune(sizes, adopt, _after_explanations(pipeline))
    except Exception:
        logger.exception("choosing a runtime failed, keeping the one in use")


def _after_explanations(pipeline: Pipeline) -> Callable[[], None]:
    def wait() -> None:
        while pipeline.has_jobs("explain"):
            time.sleep(_POLL_S)

    return wait
