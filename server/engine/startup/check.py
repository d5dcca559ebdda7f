"""The dry run of `python -m server --check`: loads the model, chooses a runtime, warms up, and prints a report.

It runs in an engine process, with the memory settings and the threads of a serving engine.
"""

import sys
import tempfile
import time
from pathlib import Path

from models.errors import ModelError
from models.labels import shown
from models.loaded import LoadedModel
from models.runtime.agreement import precision_agreement
from server.engine.device import Device
from server.engine.startup.loading import load_model
from server.engine.startup.runtime_choice import build_tuner, has_choice
from server.engine.startup.warm_up import batch_overhead_s, best_batch, sizes_to_try, warm_up
from server.ipc.process_config import ProcessConfig
from server.logs import configure_logs, escape_output
from server.supervisor.child import CANNOT_SERVE
from settings.describe import effective_values
from settings.errors import SettingsError


def main() -> None:
    """Read a ProcessConfig from standard input and print the report, or an error with the exit code CANNOT_SERVE."""
    config = ProcessConfig.model_validate_json(sys.stdin.readline())
    configure_logs(config.settings.log_format, config.settings.log_level)
    escape_output()
    try:
        print(check(config))
    except (ModelError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(CANNOT_SERVE)


def check(config: ProcessConfig) -> str:
    """Return a report on the model of a process. ModelError or SettingsError where it cannot be served.

    The cache keeps the chosen runtime, so a server that starts later uses it at once.
    """
    settings, started = config.settings, time.monotonic()
    model = load_model(config)
    loaded_s = time.monotonic() - started
    agreement, definition = precision_agreement(model), model.definition
    overhead_s, max_images = batch_overhead_s(model.device), settings.max_batch_images
    timings = warm_up(Device(model), max_images, overhead_s)
    chosen, reasons = _choose(config, model, sizes_to_try(timings, overhead_s))
    if chosen is not model:
        timings = warm_up(Device(chosen), max_images, overhead_s)
    return "\n".join(
        [
            effective_values("model settings", definition.settings),
            *definition.settings.warnings,
            "model",
            f"  weights       {definition.folder.weights}",
            f"  architecture  {definition.architecture.name}",
            f"  task          {definition.task.name} ({definition.task.hosted_name})",
            f"  labels        {len(definition.labels)}: {shown(definition.labels, 8)}",
            f"  signature     {definition.signature}",
            f"  device        {model.device}",
            f"  loaded in     {loaded_s:.1f} s",
            f"precision: {chosen.precision.name}",
            *([f"  {agreement}"] if agreement else []),
            f"runtime: {chosen.runtime}",
            *(f"  {name:<14}  {reason}" for name, reason in reasons.items()),
            "warm-up (images in a batch, images per second)",
            *(f"  {count:>4}  {count / seconds:8.1f}" for count, seconds in timings),
            f"  best batch: {settings.max_batch_images or best_batch(timings, overhead_s)}",
        ]
    )


def _choose(config: ProcessConfig, model: LoadedModel, sizes: list[int]) -> tuple[LoadedModel, dict[str, str]]:
    if not has_choice(config.settings):
        return model, {}
    with tempfile.TemporaryDirectory() as fallback:
        tuner = build_tuner(config, model, Path(fallback), lambda step: step())
        chosen = tuner.start(config.settings.runtime)
        if chosen is None:
            adopted = [model]
            tuner.tune(sizes, lambda faster, timings: adopted.append(faster))
            chosen = adopted[-1]
        return chosen, tuner.reasons
