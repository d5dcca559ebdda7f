"""The ceiling of a server: decoding, preprocessing and the forward pass in one process, without HTTP, best batches.

Run as a process of its own with the environment of an engine: python -m benchmarks.harness.ceiling FOLDER RUNTIME
CACHE. Each line on its standard input, a number of seconds, is answered by one line of JSON.
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

from benchmarks.harness.payload import encoded_images
from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage
from models.loaded import LoadedModel, load
from models.runtime.precision import FP32
from models.runtime.runtime import ComputeOptions
from server.cores import usable_cores
from server.engine.engine_model import EngineModel
from server.engine.startup.tuner import Tuner, open_cache

_LIMITS = ImageLimits(2**30, 2**30)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_TRIAL_S = 1.5
_LONGEST_S = 5.0
_SIDE = 2048  # of square matrices


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A way to overlap the work: images in a batch, and batches that are decoded ahead of the forward pass."""

    batch: int
    ahead: int


class Ceiling:
    """Measures plans on one model and one set of images."""

    def __init__(self, model: EngineModel) -> None:
        self._model = model
        self._images = encoded_images()
        self._on_gpu = torch.cuda.is_available()
        self._pool = ThreadPoolExecutor(usable_cores())
        self._next = 0

    def best(self) -> BatchPlan:
        """Try each plan for a moment and return the fastest."""
        rates: dict[BatchPlan, float] = {}
        for batch in self._sizes():
            rates |= {plan: self.rate(plan, _TRIAL_S) for plan in (BatchPlan(batch, 0), BatchPlan(batch, 1))}
            if 2 * batch > _LONGEST_S * max(rates.values()):
                break  # a batch twice as large would take too long to be useful
        return max(rates, key=rates.__getitem__)

    def rate(self, plan: BatchPlan, seconds: float) -> float:
        """Return images per second over about `seconds`, from encoded bytes to predictions."""
        waiting: deque[list[Future[DecodedImage]]] = deque(self._decode(plan.batch) for _ in range(plan.ahead))
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            waiting.append(self._decode(plan.batch))
            self._predict([image.result() for image in waiting.popleft()])
            done += plan.batch
        rate = done / (time.perf_counter() - started)
        for batch in waiting:
            _ = [image.result() for image in batch]
        return rate

    def bare_ms(self, seconds: float) -> float:
        """Return the median milliseconds of one image alone: decode, preprocess, forward."""
        times, started = [], time.perf_counter()
        while (begun := time.perf_counter()) - started < seconds:
            self._predict([self._read(self._next_image())])
            times.append(time.perf_counter() - begun)
        return 1000 * statistics.median(times)

    def forward_rate(self, batch: int, seconds: float) -> float:
        """Return images per second of the forward pass alone, on images that are decoded already."""
        inputs = [self._read(self._next_image()).inputs[0].data for _ in range(batch)]
        return rate_of(lambda: self._model.outputs(inputs), batch, seconds)

    def decode_rate(self, seconds: float) -> float:
        """Return images per second of decoding and preprocessing alone, on all cores."""
        return rate_of(lambda: [image.result() for image in self._decode(32)], 32, seconds)

    def _sizes(self) -> Sequence[int]:
        # On a CPU, large batches of a large network only take time to try
        return _BATCHES if self._on_gpu else _BATCHES[:5]

    def _predict(self, images: Sequence[DecodedImage]) -> None:
        outputs = self._model.outputs([image.inputs[0].data for image in images])
        for image, output in zip(images, outputs, strict=True):
            self._model.combine(image, [output])

    def _decode(self, count: int) -> list[Future[DecodedImage]]:
        return [self._pool.submit(self._read, self._next_image()) for _ in range(count)]

    def _read(self, data: bytes) -> DecodedImage:
        return self._model.read(data, _LIMITS, self._model.settings({}))

    def _next_image(self) -> bytes:
        self._next += 1
        return self._images[self._next % len(self._images)]


def rate_of(work: Callable[[], object], images: int, seconds: float) -> float:
    """Repeat `work`, which processes `images` images, for about `seconds`; return images per second."""
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        work()
        done += images
    return done / (time.perf_counter() - started)


def flop_of(model: EngineModel) -> float:
    """Return the floating-point operations of one image's forward pass; a multiplication with an addition counts two.

    The counter sees only a model that computes eagerly.
    """
    with FlopCounterMode(display=False) as counter:
        model.outputs(model.example(1))
    return float(counter.get_total_flops())


def flop_rate(device: torch.device, seconds: float) -> float:
    """Return the operations per second of a product of large matrices, whose only limit is arithmetic."""
    left, right = torch.rand(2, _SIDE, _SIDE, device=device)

    def multiply() -> None:
        _ = left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()

    multiply()
    return 2 * _SIDE**3 * rate_of(multiply, 1, seconds)


def _with_runtime(runtime: str, model: LoadedModel, folder: Path, cache: Path) -> LoadedModel:
    options = ComputeOptions(model.device, model.precision)
    files = open_cache(cache, model.definition, options, fallback=cache)
    tuner = Tuner(folder, model, options, files, precisions=(FP32,), on_device=lambda step: step())
    return tuner.start(runtime) or model


def main() -> None:
    """Answer every line on standard input with a measurement."""
    torch.set_num_threads(usable_cores())
    folder, runtime, cache = sys.argv[1:]
    model = load(Path(folder), device="auto")
    flop = flop_of(model)
    ceiling = Ceiling(_with_runtime(runtime, model, Path(folder), Path(cache)))
    plan = ceiling.best()
    for line in sys.stdin:
        seconds = float(line)
        result = {
            "rate": ceiling.rate(plan, seconds),
            "bare_ms": ceiling.bare_ms(seconds / 3),
            "forward_rate": ceiling.forward_rate(plan.batch, seconds / 3),
            "decode_rate": ceiling.decode_rate(seconds / 3),
            "arithmetic_rate": flop_rate(model.device, seconds / 3) / flop,
            "batch": plan.batch,
            "ahead": plan.ahead,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
