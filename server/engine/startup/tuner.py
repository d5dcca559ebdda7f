"""Tuner: finds the runtime, and the precision, that computes the same outputs fastest here, while the engine serves."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from models.definition import Definition
from models.errors import ModelError, first_line
from models.loaded import LoadedModel, reference_model
from models.runtime.agreement import Agreement, compare, merge
from models.runtime.cache import RuntimeCache
from models.runtime.conversion import convert_apart
from models.runtime.precision import Precision
from models.runtime.runtime import AUTO, EAGER, ComputeOptions, Runtime, available
from server.engine.device import OnDevice
from server.engine.startup.runtime_benchmark import benchmark_runtimes
from settings.command import flag, variable

logger = logging.getLogger(__name__)

# takes a model and the (images, seconds) of its batches
Adopt = Callable[[LoadedModel, Sequence[tuple[int, float]]], None]

_USER_CACHE = Path(".cache") / "sightglass"
_NAME_ANOTHER = f"Name another by {flag('cache_folder')} or {variable('cache_folder')}."
_MIN_SPEED_UP = 1.03  # less may be noise


def _at_once() -> None:
    """Wait for nothing."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A runtime in a precision. `name` is that of the runtime, with that of a precision other than the model's."""

    runtime: Runtime
    precision: Precision
    name: str


class Tuner:
    """Tries runtimes for the model in `folder`, which is loaded as `model` and computes eagerly.

    `on_device` runs a step on the device thread. `precisions` are tried with each runtime, of which the first is that
    of the model. `reasons` say of each candidate that was tried how fast it is, or why it cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        model: LoadedModel,
        options: ComputeOptions,
        cache: RuntimeCache,
        *,
        precisions: Sequence[Precision],
        on_device: OnDevice[Any],
    ) -> None:
        self._folder = folder
        self._model = model
        self._reference: LoadedModel | None = None
        self._precisions = precisions
        self._only = AUTO
        self._options = options
        self._cache = cache
        self._on_device = on_device
        self._before_each: Callable[[], None] = _at_once
        self.reasons: dict[str, str] = {}

    def start(self, name: str) -> LoadedModel | None:
        """Return the model with the runtime `name`; None where the fastest, or its precision, is not known.

        Raises ModelError where the runtime cannot be used.
        """
        self._only = name
        if name == AUTO or len(self._precisions) > 1:
            if name != AUTO:
                _require(available()[name], self._options)
            return self._cached_choice()
        if name == EAGER:
            return self._model
        try:
            chosen, _ = self._cache.read_choice()
            return self._verify(self._candidates()[name], verified_before=chosen == name)[0]
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"The runtime {name} cannot be used: {first_line(error)}. Try auto.") from error

    def _cached_choice(self) -> LoadedModel | None:
        name, self.reasons = self._cache.read_choice()
        if name is None or name == EAGER:
            return self._model if name else None
        try:
            return self._verify(self._candidates()[name], verified_before=True)[0]
        except Exception as error:
            logger.warning("the cached runtime cannot be used, trying all runtimes again runtime=%s: %s", name, error)
            self._cache.forget()
            return None

    def _candidates(self) -> dict[str, Candidate]:
        """Return what may be tried by name, in the precision of the model first."""
        return {
            name: Candidate(runtime, precision, name)
            for precision in self._precisions
            for runtime in available().values()
            if self._only in (AUTO, runtime.name)
            for name in [runtime.name if precision is self._precisions[0] else f"{runtime.name} {precision.name}"]
        }

    def _verify(self, tried: Candidate, *, verified_before: bool = False) -> tuple[LoadedModel, Agreement]:
        """Return the model as a candidate computes it, converted if the runtime needs that, and how its outputs agree.

        One image is enough for what this machine has `verified_before` with these versions. Raises ModelError where the
        runtime cannot be used or its outputs differ, and whatever the runtime raises.
        """
        runtime, options = tried.runtime, replace(self._options, precision=tried.precision)
        _require(runtime, options)
        files = None
        if runtime.converts:
            files = self._cache.files(tried.name, lambda into: self._convert(tried, into))
        try:
            with self._cache.attempt(tried.name):
                model: LoadedModel = replace(self._model, precision=tried.precision)
                # on the device thread: PyTorch becomes slow for good once two threads compute
                graph = self._step(lambda: runtime.load(model.graph_source(), files, options))
                candidate = model.with_runtime(runtime.name, graph)
                agreement = self._agreement(candidate, brief=verified_before)
        except Exception:
            self._cache.drop(tried.name)  # damaged files are converted again the next time
            raise
        if not agreement.deviation.fits:
            raise ModelError(f"The runtime {tried.name} does not compute the same: {agreement}.")
        return candidate, agreement

    def tune(self, sizes: Sequence[int], adopt: Adopt, before_each: Callable[[], None] = _at_once) -> None:
        """Try all candidates with batches of these sizes. `adopt` is called with each that is the fastest so far.

        One that fails is logged and skipped. The cache keeps the choice. `before_each` is called before each step
        on the device, and may wait.
        """
        self.reasons, self._before_each = {}, before_each
        with self._cache.locked():
            chosen, _ = self._cache.read_choice()  # by another engine, while this one waited
            candidates = self._candidates()
            names = [chosen] if chosen else list(candidates)
            best, fastest = EAGER, _MIN_SPEED_UP if self._only in (AUTO, EAGER) else 0.0
            for tried in (candidates[name] for name in names if name != EAGER):
                try:
                    candidate, agreement = self._verify(tried)
                    with self._cache.attempt(tried.name):
                        benchmark = benchmark_runtimes(self._model, candidate, sizes, self._on_device, before_each)
                except Exception as error:
                    self.reasons[tried.name] = first_line(error)
                    logger.info("runtime skipped runtime=%s: %s", tried.name, self.reasons[tried.name])
                    continue
                before_ms, ms = benchmark.milliseconds()
                self.reasons[tried.name] = (
                    f"{benchmark.speed_up:.2f} times as fast as eager; {agreement}; {ms:.1f} ms an image, eager "
                    f"{before_ms:.1f} ms"
                )
                logger.info("runtime tried runtime=%s: %s", tried.name, self.reasons[tried.name])
                # a smaller precision has to be worth what it changes
                smaller = best != EAGER and tried.precision is not self._precisions[0]
                if benchmark.speed_up > fastest * (_MIN_SPEED_UP if smaller else 1.0):
                    best, fastest = tried.name, benchmark.speed_up
                    adopt(candidate, sorted(benchmark.candidate.items()))
            self._cache.write_choice(best, self.reasons)
        logger.info("runtime chosen runtime=%s: %s", best, self.reasons.get(best, "nothing is faster"))

    def _step(self, step: Callable[[], Any]) -> Any:
        self._before_each()
        return self._on_device(step)

    def _convert(self, tried: Candidate, into: Path) -> None:
        convert_apart(self._folder, tried.runtime.name, tried.precision.name, str(self._options.device), into)

    def _agreement(self, candidate: LoadedModel, *, brief: bool) -> Agreement:
        if self._reference is None:
            self._reference = self._step(lambda: reference_model(self._model))
        batches = self._step(self._model.calibration)
        steps = [
            partial(compare, candidate, self._reference, inputs) for inputs in (batches[-1:] if brief else batches)
        ]
        return merge([self._step(step) for step in steps])


def _require(runtime: Runtime, options: ComputeOptions) -> None:
    """Raise ModelError where a runtime cannot be used."""
    if reason := runtime.unavailable_reason(options):
        raise ModelError(f"The runtime {runtime.name} cannot be used: {reason}.")


def open_cache(
    folder: Path | None,
    definition: Definition,
    options: ComputeOptions,
    *,
    fallback: Path,
    among: Sequence[str] = (),
) -> RuntimeCache:
    """Open the cache in `folder`, by default the user's; where that fails, log why and open the one in `fallback`."""
    try:
        return RuntimeCache.open(folder or Path.home() / _USER_CACHE, definition, options, among=among)
    except (ModelError, RuntimeError) as error:  # RuntimeError: the user has no home
        logger.warning("the choice of a runtime is not kept for the next start: %s %s", error, _NAME_ANOTHER)
        return RuntimeCache.open(fallback, definition, options, among=among)
