"""A model that needs no weights: what an image does is written in its bytes."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from models.errors import ImageError
from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage, ModelInput
from models.predictions import ClassScores, Prediction

# bytes of an image -> how the fake model behaves on it
FINE = b"fine"
UNREADABLE = b"unreadable"
POISON = b"poison"
NOT_FINITE = b"not finite"

_KINDS = (FINE, POISON, NOT_FINITE)


class FakeModel:
    """Scores every image 0.25/0.75 and notes the sizes of its batches. `memory` is the largest batch that fits.

    A batch begins by setting `started` and waits for `may_run`, which tests clear to keep the device busy.
    """

    def __init__(self, *, memory: int = 1000, decode_s: float = 0.0, seconds: float = 0.0) -> None:
        self.pixels = 100
        self.runtime = "eager"
        self.memory = memory
        self.decode_s = decode_s
        self.seconds = seconds
        self.healthy = True
        self.batches: list[int] = []
        self.started = threading.Event()
        self.may_run = threading.Event()
        self.may_run.set()

    @property
    def slow_to_encode(self) -> bool:
        return False

    def settings(self, given: Mapping[str, Any]) -> int:
        return int(given.get("inputs", 1))

    def max_inputs(self, settings: int) -> int:
        return settings

    def read(self, data: bytes, limits: ImageLimits, settings: int) -> DecodedImage:
        time.sleep(self.decode_s)
        if data == UNREADABLE:
            raise ImageError("image_unreadable", "The picture is damaged.")
        return image_of(_KINDS.index(data), settings)

    def example(self, count: int) -> list[Tensor]:
        return [torch.tensor(0)] * count

    def outputs(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        self.batches.append(len(inputs))
        self.started.set()
        assert self.may_run.wait(20), "no test keeps a device busy for longer"
        time.sleep(self.seconds)
        if len(inputs) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if not self.healthy or any(_KINDS[kind] == POISON for kind in inputs):
            raise RuntimeError("device-side assert triggered")
        return [torch.tensor([0.25, 0.75]) * (1.0 if _KINDS[kind] == FINE else torch.nan) for kind in inputs]

    def combine(self, image: DecodedImage, outputs: Sequence[Tensor]) -> Prediction:
        if not all(torch.isfinite(output).all() for output in outputs):
            raise ValueError("not finite")
        return ClassScores(torch.stack(list(outputs)).mean(0).tolist(), ["can", "carton"])


def image_of(kind: int, inputs: int = 1) -> DecodedImage:
    """An image with several inputs, the first of a shape of its own."""
    return DecodedImage(tuple(ModelInput(torch.tensor(kind), 100, min(number, 1)) for number in range(inputs)))
