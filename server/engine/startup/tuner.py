"""Tuner: finds the runtime that computes a model fastest here with the same outputs, while the engine serves."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from models.definition import Definition
from models.errors import ModelError, first_line
from models.loaded import LoadedModel, reference_model
from models.runtime.agreement import Agreement, compare, merge
from models.runtime.cache import RuntimeCache
from models.runtime.conversion import convert_apart
from models.runtime.runtime import AUTO, EAGER, ComputeOptions, Runtime, available
from server.engine.device import OnDevice
from server.engine.startup.runtime_benchmark import benchmark_runtimes

logger = logging.getLogger(__name__)

# a model, and the (images, seconds) of its batches
Adopt = Callable[[LoadedModel, Sequence[tuple[int, float]]], None]

_USER_CACHE = Path(".cache") / "sightglass"
_WORTH = 1.03  # times as fast; less may be the noise of a machine


def _at_once() -> None:
    """Wait for nothing."""


class Tuner:
    """Tries runtimes of the model in `folder`, which is loaded as `model` and computes eagerly.

    `on_device` runs a step on the thread that computes. `precision` is what the model was loaded with.
    """

    def __init__(
        self,
        folder: Path,
        model: LoadedModel,
        options: ComputeOptions,
        cache: RuntimeCache,
        *,
        precision: str,
        on_device: OnDevice[Any],
    ) -> None:
        self._folder = folder
        self._model = model
        self._reference: LoadedModel | None = None
        self._precision = precision
        self._options = options
        self._cache = cache
        self._on_device = on_device
        self._before_each: Callable[[], None] = _at_once
        self.reasons: dict[str, str] = {}

    def start(self, wanted: str) -> LoadedModel | None:
        """Return the model with the runtime `wanted`; None where that is AUTO and the fastest is not known.

        ModelError where the runtime cannot be used.
        """
        if wanted == AUTO:
            return self._remembered()
        if wanted == EAGER:
            return self._model
        try:
            known, _ = self._cache.read_choice()
            return self._verified(available()[wanted], again=known == wanted)[0]
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"The runtime {wanted} cannot be used: {first_line(error)}. Try auto.") from error

    def _remembered(self) -> LoadedModel | None:
        name, self.reasons = self._cache.read_choice()
        if name is None or name == EAGER:
            return self._model if name else None
        try:
            return self._verified(available()[name], again=True)[0]
        except Exception as error:
            logger.warning("the runtime that was fastest cannot be used and is tried anew runtime=%s: %s", name, error)
            self._cache.forget()
            return None

    def _verified(self, runtime: Runtime, *, again: bool = False) -> tuple[LoadedModel, Agreement]:
        """Return the model with a runtime, converted if need be; any exception where it cannot, or differs.

        `again` says that this machine and these versions have verified it before: one image is enough then.
        """
        if obstacle := runtime.unavailable_reason(self._options):
            raise ModelError(f"The runtime {runtime.name} cannot be used: {obstacle}.")
        files = None
        if runtime.converts:
            files = self._cache.files(runtime.name, lambda into: self._convert(runtime, into))
        try:
            with self._cache.attempt(runtime.name):
                # PyTorch computes on one thread only, or it would stay slow ever after
                graph = self._step(lambda: runtime.load(self._model.graph_source(), files, self._options))
                candidate = self._model.with_runtime(runtime.name, graph)
                agreement = self._agreement(candidate, brief=again)
        except Exception:
            self._cache.drop(runtime.name)  # damaged files are made anew the next time
            raise
        if not agreement.deviation.fits:
            raise ModelError(f"The runtime {runtime.name} does not compute the same: {agreement}.")
        return candidate, agreement

    def tune(self, sizes: Sequence[int], adopt: Adopt, before_each: Callable[[], None] = _at_once) -> None:
        """Try all runtimes with batches of these sizes; `adopt` is told each that is the fastest so far.

        A runtime that fails is reported and left out. The choice is remembered. `before_each` is called before each
        step on the device, and may wait.
        """
        self.reasons, self._before_each = {}, before_each
        with self._cache.locked():
            known, _ = self._cache.read_choice()  # by another engine, while this one waited
            names = [known] if known else list(available())
            best, fastest = EAGER, _WORTH
            for runtime in (available()[name] for name in names if name != EAGER):
                try:
                    candidate, agreement = self._verified(runtime)
                    with self._cache.attempt(runtime.name):
                        found = benchmark_runtimes(self._model, candidate, sizes, self._on_device, before_each)
                except Exception as error:
                    self.reasons[runtime.name] = first_line(error)
                    logger.info("a runtime is left out runtime=%s: %s", runtime.name, self.reasons[runtime.name])
                    continue
                self.reasons[runtime.name] = f"{found.speed_up:.2f} times as fast as eager; {agreement}"
                if found.speed_up > fastest:
                    best, fastest = runtime.name, found.speed_up
                    adopt(candidate, sorted(found.candidate.items()))
            self._cache.write_choice(best, self.reasons)
        logger.info("runtime chosen runtime=%s: %s", best, self.reasons.get(best, "nothing is faster"))

    def _step(self, step: Callable[[], Any]) -> Any:
        self._before_each()
        return self._on_device(step)

    def _convert(self, runtime: Runtime, into: Path) -> None:
        convert_apart(self._folder, runtime.name, self._precision, str(self._options.device), into)

    def _agreement(self, candidate: LoadedModel, *, brief: bool) -> Agreement:
        if self._reference is None:
            self._reference = self._step(lambda: reference_model(self._model))
        batches = self._step(self._model.calibration)
        steps = [
            partial(compare, candidate, self._reference, inputs) for inputs in (batches[-1:] if brief else batches)
        ]
        return merge([self._step(step) for step in steps])


def open_cache(
    folder: Path | None, definition: Definition, options: ComputeOptions, *, otherwise: Path
) -> RuntimeCache:
    """Open the cache in `folder`, or else the user's; where that cannot be, say so and open `otherwise`."""
    try:
        return RuntimeCache.open(folder or Path.home() / _USER_CACHE, definition, options)
    except (ModelError, RuntimeError) as error:  # RuntimeError: the user has no home
        logger.warning("the choice of a runtime will not be remembered: %s", error)
        return RuntimeCache.open(otherwise, definition, options)
