"""A model that fails on command, by the colour of an image."""

import logging
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

logger = logging.getLogger("server.engine")

SLOW, SLOW_ENDED = "a slow batch runs", "a slow batch has ended"
HANGS = "a batch hangs in process="
LOGGED = "a logged image runs"

# what happens to a batch that holds an image of this colour
COLOURS = {
    "poison": (255, 0, 255),  # the forward pass raises
    "kill": (0, 255, 255),  # the process is killed
    "slow": (255, 255, 0),  # the forward pass takes two seconds
    "sick": (0, 0, 255),  # the device is broken from here on
    "memory": (0, 255, 0),  # more than one image does not fit into memory
    "hang": (0, 128, 255),  # the forward pass does not end
    "logged": (255, 128, 0),  # the log says that it ran
}


def coloured(fault: str) -> bytes:
    """Return a PNG that triggers a fault."""
    return encoded(Image.new("RGB", (80, 80), COLOURS[fault]), "PNG")


class FaultyModel(Classifier):
    """A loaded model with the faults above."""

    sick: ClassVar[bool] = False

    def outputs(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        images = [image for each in inputs for image in (each if each.ndim > 3 else [each])]
        faults = {name for image in images if (name := _fault(image))}
        FaultyModel.sick = FaultyModel.sick or "sick" in faults
        if "logged" in faults:
            logger.info(LOGGED)
        if "kill" in faults:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in faults:
            logger.info("%s%d", HANGS, os.getpid())
            time.sleep(3600)
        if "slow" in faults:
            logger.info(SLOW)
            time.sleep(2)
            logger.info(SLOW_ENDED)
        if "memory" in faults and len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if "poison" in faults or FaultyModel.sick:
            raise RuntimeError("device-side assert triggered")
        return super().outputs(inputs)


def _fault(image: Tensor) -> str | None:
    middle = tuple(int(value) for value in np.asarray(image)[len(image) // 2, len(image) // 2])
    return next((name for name, colour in COLOURS.items() if colour == middle), None)
