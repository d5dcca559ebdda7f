"""A model that needs no weights: what a picture does is written in its bytes."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from models.errors import ImageError
from models.images import ImageLimits
from models.predictions import ClassScores, Prediction

# bytes of a picture -> how the fake model behaves on it
FINE = b"fine"
UNREADABLE = b"unreadable"
POISON = b"poison"
NOT_FINITE = b"not finite"

_KINDS = (FINE, POISON, NOT_FINITE)


class FakeModel:
    """Scores every picture 0.25/0.75; keeps count of what it ran. `memory` is the largest batch that fits."""

    def __init__(self, *, memory: int = 1000, decode_s: float = 0.0, seconds: float = 0.0) -> None:
        self.pixels = 100
        self.memory = memory
        self.decode_s = decode_s
        self.seconds = seconds
        self.healthy = True
        self.batches: list[int] = []

    def picture(self, data: bytes, limits: ImageLimits) -> Tensor:
        time.sleep(self.decode_s)
        if data == UNREADABLE:
            raise ImageError("image_unreadable", "The picture is damaged.")
        return torch.tensor(_KINDS.index(data))

    def example(self, count: int) -> list[Tensor]:
        return [torch.tensor(0)] * count

    def outputs(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        self.batches.append(len(pictures))
        time.sleep(self.seconds)
        if len(pictures) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if not self.healthy or any(_KINDS[picture] == POISON for picture in pictures):
            raise RuntimeError("device-side assert triggered")
        return [torch.tensor([0.25, 0.75]) * (1.0 if _KINDS[picture] == FINE else torch.nan) for picture in pictures]

    def prediction(self, output: Tensor) -> Prediction:
        return ClassScores(output.tolist(), ["can", "carton"])
