"""The dry run behind `python -m server --check`: load, warm up, score an example, and say how it went."""

import time
from pathlib import Path

import torch

from models.loaded import load
from server.engine.device import Device, best_batch
from server.engine.process import cpu_threads
from settings.describe import effective_values
from settings.server import ServerSettings


def check(folder: Path, settings: ServerSettings) -> str:
    """Return a report on the model in `folder`; ModelError or SettingsError where it cannot be served."""
    torch.set_num_threads(cpu_threads(settings))
    started = time.monotonic()
    model = load(folder, device=settings.device[0], precision=settings.precision, strict=settings.strict_settings)
    loaded_s = time.monotonic() - started
    definition = model.definition
    timings = Device(model).warm_up(settings.max_batch_images)
    return "\n".join(
        [
            effective_values("model settings", definition.settings),
            *definition.settings.warnings,
            "model",
            f"  weights       {definition.folder.weights}",
            f"  architecture  {definition.architecture.name}",
            f"  task          {definition.task.name} ({definition.task.hosted_name})",
            f"  labels        {len(definition.labels)}: {', '.join(definition.labels[:8])}",
            f"  device        {model.device}",
            f"  loaded in     {loaded_s:.1f} s",
            "warm-up (pictures in a batch, pictures per second)",
            *(f"  {count:>4}  {count / seconds:8.1f}" for count, seconds in timings),
            f"  best batch: {settings.max_batch_images or best_batch(timings)}",
        ]
    )
