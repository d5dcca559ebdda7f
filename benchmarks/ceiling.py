"""The ceiling: what the same decode, preprocess and forward do in one process, without HTTP, batched at their best.

Run as a process of its own with the environment of an engine: python -m benchmarks.ceiling FOLDER RUNTIME CACHE. Each
line on its standard input, a number of seconds, is answered by one line of JSON.
"""

import json
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.payload import pictures
from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage
from models.loaded import LoadedModel, load
from models.runtime.runtime import ComputeOptions
from server.cores import usable_cores
from server.engine.pipeline.device import EngineModel
from server.engine.startup.tuner import Tuner, open_cache

_LIMITS = ImageLimits(2**30, 2**30)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_TRIAL_S = 1.5
_LONGEST_S = 5.0
_SIDE = 2048  # of square matrices


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A way to overlap the work: pictures in a batch, and batches that are decoded ahead of the forward pass."""

    batch: int
    ahead: int


class Ceiling:
    """Runs plans on one model and one set of pictures."""

    def __init__(self, model: EngineModel) -> None:
        self._model = model
        self._pictures = pictures()
        self._on_gpu = torch.cuda.is_available()
        self._pool = ThreadPoolExecutor(usable_cores())
        self._next = 0

    def best(self) -> BatchPlan:
        """Try the plans for a moment each and return the fastest."""
        rates: dict[BatchPlan, float] = {}
        for batch in self._sizes():
            rates |= {plan: self.rate(plan, _TRIAL_S) for plan in (BatchPlan(batch, 0), BatchPlan(batch, 1))}
            if 2 * batch > _LONGEST_S * max(rates.values()):
                break  # twice as many would take too long to be of use to anybody
        return max(rates, key=rates.__getitem__)

    def rate(self, plan: BatchPlan, seconds: float) -> float:
        """Return pictures per second over about `seconds`, from encoded bytes to predictions."""
        waiting: deque[list[Future[DecodedImage]]] = deque(self._decode(plan.batch) for _ in range(plan.ahead))
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            waiting.append(self._decode(plan.batch))
            self._told([picture.result() for picture in waiting.popleft()])
            done += plan.batch
        rate = done / (time.perf_counter() - started)
        for batch in waiting:
            _ = [picture.result() for picture in batch]
        return rate

    def bare_ms(self, seconds: float) -> float:
        """Return the median milliseconds of one picture alone: decode, preprocess, forward."""
        times, started = [], time.perf_counter()
        while (since := time.perf_counter()) - started < seconds:
            self._told([self._read(self._picture())])
            times.append(time.perf_counter() - since)
        return 1000 * statistics.median(times)

    def forward_rate(self, batch: int, seconds: float) -> float:
        """Return pictures per second of the forward pass alone, from pictures that are decoded already."""
        inputs = [self._read(self._picture()).inputs[0].data for _ in range(batch)]
        return counted(lambda: self._model.outputs(inputs), batch, seconds)

    def decode_rate(self, seconds: float) -> float:
        """Return pictures per second of decode and preprocess alone, on all cores."""
        return counted(lambda: [picture.result() for picture in self._decode(32)], 32, seconds)

    def _sizes(self) -> Sequence[int]:
        # on a CPU large batches of a large network only take time to try
        return _BATCHES if self._on_gpu else _BATCHES[:5]

    def _told(self, read: Sequence[DecodedImage]) -> None:
        outputs = self._model.outputs([picture.inputs[0].data for picture in read])
        for picture, output in zip(read, outputs, strict=True):
            self._model.combine(picture, [output])

    def _decode(self, count: int) -> list[Future[DecodedImage]]:
        return [self._pool.submit(self._read, self._picture()) for _ in range(count)]

    def _read(self, data: bytes) -> DecodedImage:
        return self._model.read(data, _LIMITS, self._model.settings({}))

    def _picture(self) -> bytes:
        self._next += 1
        return self._pictures[self._next % len(self._pictures)]


def counted(work: Callable[[], object], images: int, seconds: float) -> float:
    """Do `work` on so many images again and again for about `seconds`; return images per second."""
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        work()
        done += images
    return done / (time.perf_counter() - started)


def flop_of(model: EngineModel) -> float:
    """Return the operations of one picture's forward pass, an addition and a multiplication being two.

    Only those of a model that computes eagerly are seen.
    """
    with FlopCounterMode(display=False) as counter:
        model.outputs(model.example(1))
    return float(counter.get_total_flops())


def flop_rate(device: torch.device, seconds: float) -> float:
    """Return the operations per second of a product of large matrices, which is bound by multiplying alone."""
    left, right = torch.rand(2, _SIDE, _SIDE, device=device)

    def multiply() -> None:
        _ = left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()

    multiply()
    return 2 * _SIDE**3 * counted(multiply, 1, seconds)


def _computed_by(runtime: str, model: LoadedModel, folder: Path, cache: Path) -> LoadedModel:
    terms = ComputeOptions(model.device, model.precision)
    files = open_cache(cache, model.definition, terms, otherwise=cache)
    tuner = Tuner(folder, model, terms, files, precision="fp32", on_device=lambda step: step())
    return tuner.start(runtime) or model


def main() -> None:
    """Answer every line on standard input with a measurement."""
    torch.set_num_threads(usable_cores())
    folder, runtime, cache = sys.argv[1:]
    model = load(Path(folder), device="auto")
    flop = flop_of(model)
    ceiling = Ceiling(_computed_by(runtime, model, Path(folder), Path(cache)))
    plan = ceiling.best()
    for line in sys.stdin:
        seconds = float(line)
        measured = {
            "rate": ceiling.rate(plan, seconds),
            "bare_ms": ceiling.bare_ms(seconds / 3),
            "forward_rate": ceiling.forward_rate(plan.batch, seconds / 3),
            "decode_rate": ceiling.decode_rate(seconds / 3),
            "arithmetic_rate": flop_rate(model.device, seconds / 3) / flop,
            "batch": plan.batch,
            "ahead": plan.ahead,
        }
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
