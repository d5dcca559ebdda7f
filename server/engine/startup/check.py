"""The dry run behind `python -m server --check`: load, choose a runtime, warm up, and say how it went."""

import tempfile
import time
from pathlib import Path

import torch

from models.loaded import LoadedModel, load
from models.runtime.agreement import check_precision, precision_agreement
from models.runtime.runtime import EAGER, ComputeOptions
from server.cores import cpu_threads
from server.engine.pipeline.device import Device, batch_overhead_s, best_batch
from server.engine.process import sizes_to_try
from server.engine.startup.tuner import Tuner, open_cache
from settings.describe import effective_values
from settings.server import ServerSettings


def check(folder: Path, settings: ServerSettings) -> str:
    """Return a report on the model in `folder`; ModelError or SettingsError where it cannot be served.

    The runtime that it chooses is remembered, so that a server which starts later has it at once.
    """
    torch.set_num_threads(cpu_threads(settings))
    started = time.monotonic()
    model = load(folder, device=settings.device[0], precision=settings.precision, strict=settings.strict_settings)
    loaded_s = time.monotonic() - started
    precise = precision_agreement(model)
    check_precision(precise, settings.force_precision)
    definition = model.definition
    between, most = batch_overhead_s(model.device), settings.max_batch_images
    timings = Device(model).warm_up(most, between)
    chosen, reasons = _chosen(folder, model, settings, sizes_to_try(timings, between))
    if chosen is not model:
        timings = Device(chosen).warm_up(most, between)
    return "\n".join(
        [
            effective_values("model settings", definition.settings),
            *definition.settings.warnings,
            "model",
            f"  weights       {definition.folder.weights}",
            f"  architecture  {definition.architecture.name}",
            f"  task          {definition.task.name} ({definition.task.hosted_name})",
            f"  labels        {len(definition.labels)}: {', '.join(definition.labels[:8])}",
            f"  signature     {definition.signature}",
            f"  device        {model.device}",
            f"  loaded in     {loaded_s:.1f} s",
            *([f"precision: {settings.precision}", f"  {precise}"] if precise else []),
            f"runtime: {chosen.runtime}",
            *(f"  {name:<12}  {reason}" for name, reason in reasons.items()),
            "warm-up (pictures in a batch, pictures per second)",
            *(f"  {count:>4}  {count / seconds:8.1f}" for count, seconds in timings),
            f"  best batch: {settings.max_batch_images or best_batch(timings, between)}",
        ]
    )


def _chosen(
    folder: Path, model: LoadedModel, settings: ServerSettings, sizes: list[int]
) -> tuple[LoadedModel, dict[str, str]]:
    if settings.runtime == EAGER:
        return model, {}
    options = ComputeOptions(model.device, model.precision)
    with tempfile.TemporaryDirectory() as otherwise:
        cache = open_cache(settings.cache_folder, model.definition, options, otherwise=Path(otherwise))
        tuner = Tuner(folder, model, options, cache, precision=settings.precision, on_device=lambda step: step())
        chosen = tuner.start(settings.runtime)
        if chosen is None:
            found = [model]
            tuner.tune(sizes, lambda rival, seen: found.append(rival))
            chosen = found[-1]
        return chosen, tuner.reasons
