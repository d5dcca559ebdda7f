"""A batch of a detector: images of one size, mirrored at random, with the targets of torchvision's detectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from examples.fridge.labelled_scene import LabelledScene

_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
_STRIDE = 32


@dataclass(frozen=True, slots=True)
class DetectorBatch:
    """A batch of N images.

    inputs: float32 [N, 3, H, W], normalised, channels last in memory, H and W multiples of 32. size: the (height,
    width) that the images fill from the top left; the rest is 0. targets: per image "boxes" float32 [n, 4] in
    pixels of inputs, "labels" int64 [n] with 0 for the background, "masks" uint8 [n, height, width].
    """

    inputs: Tensor
    size: tuple[int, int]
    targets: list[dict[str, Tensor]]

    def to(self, device: torch.device) -> "DetectorBatch":
        """Return the batch on another device."""
        targets = [{name: tensor.to(device) for name, tensor in target.items()} for target in self.targets]
        return DetectorBatch(self.inputs.to(device), self.size, targets)


def make_batch(rng: np.random.Generator, scenes: Sequence[LabelledScene], size: tuple[int, int]) -> DetectorBatch:
    """Scale scenes to `size` (width, height), mirror every other one, and return them as a batch."""
    width, height = size
    inputs = torch.zeros(len(scenes), 3, height + -height % _STRIDE, width + -width % _STRIDE)
    targets = []
    for index, scene in enumerate(scenes):
        mirrored = bool(rng.random() < 0.5)
        inputs[index, :, :height, :width] = _image(scene, size, mirrored)
        targets.append(_target(scene, size, mirrored))
    return DetectorBatch(inputs.contiguous(memory_format=torch.channels_last), (height, width), targets)


def _image(scene: LabelledScene, size: tuple[int, int], mirrored: bool) -> Tensor:
    """Return an image as a served detector takes it, float32 [3, h, w]: scaled without antialiasing, normalised."""
    image = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255
    scaled = functional.interpolate(image[None], (size[1], size[0]), mode="bilinear")[0]
    normal = (scaled - _MEAN) / _STD
    return normal.flip(2) if mirrored else normal


def _target(scene: LabelledScene, size: tuple[int, int], mirrored: bool) -> dict[str, Tensor]:
    width, height = size
    rows, columns = scene.instance_map.shape
    scale = np.array([width / columns, height / rows] * 2, dtype=np.float32)
    boxes = torch.from_numpy(scene.boxes * scale)
    instance_map = torch.from_numpy(scene.instance_map)[None, None]
    instance_map = functional.interpolate(instance_map, (height, width), mode="nearest-exact")[0]
    masks = (instance_map == torch.arange(len(boxes), dtype=torch.uint8)[:, None, None]).to(torch.uint8)
    if mirrored:
        boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
        masks = masks.flip(2)
    return {"boxes": boxes, "labels": torch.from_numpy(scene.labels) + 1, "masks": masks}
