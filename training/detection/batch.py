"""DetectionBatch: images of one step, augmented and padded to one size, with what torchvision's detectors learn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.detection.torchvision_adapter import fitted_size, padded_size
from settings.model import DetectionSettings
from training.augmentation.detection import Window, random_window, whole_window
from training.detection.examples import DetectorExample
from training.progressive_sizes import DETECTOR_STAGES, share_of_side
from training.recipe import StepPlan

# Masks of one image may have so many pixels together; a larger image is shrunk
MOST_MASK_PIXELS = 5e8


@dataclass(frozen=True, slots=True)
class DetectionBatch:
    """A batch of N images.

    `images`: uint8 [N, 3, H, W] in [0, 255], channels last in memory, H and W multiples of 32; each image fills the
    (height, width) of `sizes` from the top left, the rest is 0. `targets`, one an image: "boxes" float32 [G, 4] in
    pixels, "labels" int64 [G] as the network counts them and, for networks of masks, "masks" uint8 [G, h, w] of its
    size. `progress` is that of the plan.
    """

    images: Tensor
    sizes: tuple[tuple[int, int], ...]
    targets: list[dict[str, Tensor]]
    progress: float


@dataclass(frozen=True, slots=True)
class BatchMaker:
    """How examples become a batch: under which settings, with `masks` or without, changed at random or not.

    `first_label` is what the network calls the first label. `progressive` shows smaller images at first.
    """

    settings: DetectionSettings
    masks: bool
    first_label: int
    augmented: bool
    progressive: bool = False

    def batch(self, examples: Sequence[DetectorExample], plan: StepPlan | None = None) -> DetectionBatch:
        """Return a batch of the examples of a plan or, without one, of all of them, as they are at the end."""
        chosen = examples if plan is None else [examples[index] for index in plan.indexes.tolist()]
        progress = 1.0 if plan is None else plan.progress
        share = share_of_side(DETECTOR_STAGES, progress) if self.progressive else 1.0
        images, targets = [], []
        for place, example in enumerate(chosen):
            pixels = example.pixels
            height, width = pixels.shape[:2]
            window = whole_window((height, width))
            if plan is not None and self.augmented:
                window = random_window(plan.rngs[place], (height, width), example.objects.boxes)
            size = self._size(window, len(example.objects), share)
            images.append(window.pixels(pixels, size))
            targets.append(self._target(example, window, size))
        return _padded_batch(images, targets, progress)

    def _size(self, window: Window, objects: int, share: float) -> tuple[int, int]:
        small = {"min_size": round(self.settings.min_size * share), "max_size": round(self.settings.max_size * share)}
        settings = self.settings if share == 1 else self.settings.model_copy(update=small)
        height, width = fitted_size(window.height, window.width, settings)
        if max(abs(height - window.height), abs(width - window.width)) <= 1:
            height, width = window.height, window.width  # it has its size already, but for rounding
        shrink = math.sqrt(MOST_MASK_PIXELS / max(objects * height * width, 1)) if self.masks else 1.0
        return (height, width) if shrink >= 1 else (max(1, int(height * shrink)), max(1, int(width * shrink)))

    def _target(self, example: DetectorExample, window: Window, size: tuple[int, int]) -> dict[str, Tensor]:
        image = example.pixels.shape[:2]
        boxes = torch.from_numpy(window.boxes(example.objects.boxes, image, size)).float()
        # float32 may round a very thin box to none
        kept = (boxes[:, 2:] > boxes[:, :2]).all(1)
        labels = torch.from_numpy(example.objects.labels) + self.first_label
        target = {"boxes": boxes[kept], "labels": labels[kept]}
        if self.masks:
            masks = window.masks(example.objects, image, size)
            target["masks"] = torch.from_numpy(masks).to(torch.uint8)[kept]
        return target


def _padded_batch(images: Sequence[Tensor], targets: list[dict[str, Tensor]], progress: float) -> DetectionBatch:
    sizes = tuple((image.shape[1], image.shape[2]) for image in images)
    height, width = padded_size((max(high for high, _ in sizes), max(wide for _, wide in sizes)))
    batch = torch.zeros((len(images), height, width, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    for place, image, (high, wide) in zip(batch, images, sizes, strict=True):
        place[:, :high, :wide] = image
    return DetectionBatch(batch, sizes, targets, progress)


def shrunk(pixels: NDArray[np.uint8], settings: DetectionSettings) -> NDArray[np.uint8]:
    """Resize an image, uint8 [H, W, 3], as scoring does; one that scoring would enlarge stays as it is."""
    height, width = pixels.shape[:2]
    size = fitted_size(height, width, settings)
    if size[0] >= height:
        return pixels
    values = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    resized = functional.interpolate(values, size=size, mode="bilinear", align_corners=False)
    small: NDArray[np.uint8] = resized[0].permute(1, 2, 0).round().to(torch.uint8).numpy()
    return small
