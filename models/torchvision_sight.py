"""How the detectors of torchvision see: resized so that both sides fit, normalised, padded to a multiple of 32.

Padding further would change what is found near the right and lower edges, so only views of the same padded size share
a batch, and a picture's reply does not depend on what it shares one with.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList

from models.preprocess import Statistics
from models.sight import Found, View
from settings.model import DetectionSettings

# what torchvision does where nothing is set
UNTOLD = MappingProxyType(
    {"min_size": 800, "max_size": 1333, "box_score_thresh": 0.05, "nms_iou_thresh": 0.5, "box_detections_per_img": 100}
)

_STRIDE = 32  # of the deepest map that all of these networks have
_USUAL = 4 / 3  # the aspect ratio that a picture is expected to have


@dataclass(frozen=True, slots=True)
class TorchvisionSight:
    """`head(network)` is the part that holds the thresholds on boxes; `first_label` what it calls the first label."""

    head: Callable[[Any], Any]
    first_label: int = 1

    def pixels(self, settings: DetectionSettings) -> int:
        """Return the pixels of the network's input for a picture of 4 by 3."""
        height, width = _padded(_resized(3000, 4000, settings))
        return height * width

    def view(self, part: Tensor, settings: DetectionSettings) -> View:
        """Note at which size `part`, uint8 [h, w, 3], will be seen; the device resizes it."""
        size = _resized(part.shape[0], part.shape[1], settings)
        return View(part, size, _padded(size))

    def prepare(self, network: nn.Module, dtype: torch.dtype) -> None:
        """Leave resizing and pasting to us, and have the backbone computed in `dtype`."""
        detector: Any = network
        detector.transform = Batching()
        if dtype is not torch.float32:
            detector.backbone = Reduced(detector.backbone, dtype)

    def find(self, network: nn.Module, views: Sequence[View], settings: DetectionSettings) -> list[Found]:
        """Run one batch of views of the same `padded` on the network's device."""
        head = self.head(network)
        head.score_thresh, head.nms_thresh = settings.box_score_thresh, settings.nms_iou_thresh
        head.detections_per_img = settings.box_detections_per_img
        device = next(network.parameters()).device
        results = network([_inputs(view, device) for view in views])
        return [self._found(result, view.size) for result, view in zip(results, views, strict=True)]

    def _found(self, result: dict[str, Tensor], size: tuple[int, int]) -> Found:
        height, width = size
        boxes = result["boxes"].float().cpu() / torch.tensor([width, height, width, height])
        masks = result["masks"][:, 0].float().cpu() if "masks" in result else None
        return Found(boxes, result["scores"].float().cpu(), result["labels"].cpu() - self.first_label, masks)


class Batching(nn.Module):
    """Takes the place of a detector's own transform: pictures come resized and normalised, boxes leave as they are."""

    def forward(self, images: Sequence[Tensor], targets: None = None) -> tuple[ImageList, None]:
        """Put float32 [3, h, w] each into one batch, padded with zeros on the right and below."""
        height, width = _padded((max(image.shape[1] for image in images), max(image.shape[2] for image in images)))
        batch = images[0].new_zeros((len(images), 3, height, width))
        batch = batch.contiguous(memory_format=torch.channels_last)
        for place, image in zip(batch, images, strict=True):
            place[:, : image.shape[1], : image.shape[2]] = image
        return ImageList(batch, [(image.shape[1], image.shape[2]) for image in images]), None

    def postprocess(self, result: list[dict[str, Tensor]], *sizes: object) -> list[dict[str, Tensor]]:
        """Return what was found in the frame it was found in, its masks as they are."""
        return result


class Reduced(nn.Module):
    """A backbone that computes in a smaller type and hands on float32: half floats cannot tell a pixel of a box."""

    def __init__(self, backbone: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner, self.dtype, self.out_channels = backbone, dtype, backbone.out_channels

    def forward(self, batch: Tensor) -> OrderedDict[str, Tensor]:
        """Map [N, 3, H, W] to maps by name."""
        with torch.autocast(batch.device.type, self.dtype):
            maps = self.inner(batch)
        return OrderedDict((name, values.float()) for name, values in maps.items())


def _inputs(view: View, device: torch.device) -> Tensor:
    """Bring a part to the device, resize and normalise it: float32 [3, h, w]."""
    values = view.part.to(device).permute(2, 0, 1)[None].float()
    if values.shape[2:] != view.size:
        values = functional.interpolate(values, size=view.size, mode="bilinear", align_corners=False)
    return Statistics().normalised(values)[0]


def _resized(height: int, width: int, settings: DetectionSettings) -> tuple[int, int]:
    scale = min(settings.min_size / min(height, width), settings.max_size / max(height, width))
    # a side of a very thin picture would vanish
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))


def _padded(size: tuple[int, int]) -> tuple[int, int]:
    height, width = (math.ceil(side / _STRIDE) * _STRIDE for side in size)
    return height, width
