"""A model that fails on command: it looks at the colour of a picture before it scores it."""

import os
import signal
import time
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.classifier import Classifier
from tests.support.images import encoded

# what happens to a batch that holds a picture of this colour
COLOURS = {
    "poison": (255, 0, 255),  # the forward pass raises
    "kill": (0, 255, 255),  # the process is killed
    "slow": (255, 255, 0),  # the forward pass takes two seconds
    "sick": (0, 0, 255),  # the device is broken from here on
    "memory": (0, 255, 0),  # more than one picture does not fit into memory
}


def coloured(fault: str) -> bytes:
    """Return a PNG that triggers a fault."""
    return encoded(Image.new("RGB", (80, 80), COLOURS[fault]), "PNG")


class FaultyModel(Classifier):
    """A loaded model with the faults above."""

    sick: ClassVar[bool] = False

    def outputs(self, views: Sequence[Tensor]) -> list[Tensor]:
        pictures = [picture for view in views for picture in (view if view.ndim > 3 else [view])]
        faults = {name for picture in pictures if (name := _fault(picture))}
        FaultyModel.sick = FaultyModel.sick or "sick" in faults
        if "kill" in faults:
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in faults:
            time.sleep(2)
        if "memory" in faults and len(pictures) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if "poison" in faults or FaultyModel.sick:
            raise RuntimeError("device-side assert triggered")
        return super().outputs(views)


def _fault(picture: Tensor) -> str | None:
    middle = tuple(int(value) for value in np.asarray(picture)[len(picture) // 2, len(picture) // 2])
    return next((name for name, colour in COLOURS.items() if colour == middle), None)
