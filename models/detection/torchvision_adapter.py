"""How the detectors of torchvision see: resized so that both sides fit, normalised, padded to a multiple of 32.

Padding further would change what is found near the right and lower edges, so only inputs of the same padded size
share a batch, and a picture's reply does not depend on what it shares one with.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList

from models.detection.adapter import Detections, DetectorInput
from models.images.preprocess import Statistics
from models.runtime.precision import Precision
from models.runtime.runtime import Graph, GraphSource
from settings.model import DetectionSettings

# what torchvision does where nothing is set
LIBRARY_DEFAULTS = MappingProxyType(
    {"min_size": 800, "max_size": 1333, "box_score_thresh": 0.05, "nms_iou_thresh": 0.5, "box_detections_per_img": 100}
)

_STRIDE = 32  # of the deepest map that all of these networks have
_USUAL = 4 / 3  # the aspect ratio that a picture is expected to have


_RCNN = ("0", "1", "2", "3", "pool")

_ROUNDING = 1e-4  # maps that are off by so much move boxes by far less than a pixel

_TRACED = (2, 3, 256, 320)  # the example that runtimes convert with; other batches and sides work


@dataclass(frozen=True, slots=True)
class TorchvisionAdapter:
    """`head(network)` is the part that holds the thresholds on boxes; `first_label` what it calls the first label.

    `maps` are the names of what its backbone makes; `dense` the path of the module that looks at all places of those,
    and `shaped` puts what that found, a flat list of tensors, into the shape that it returned.
    """

    head: Callable[[Any], Any]
    dense: str
    shaped: Callable[[list[Tensor]], Any]
    maps: tuple[str, ...]
    first_label: int = 1

    @classmethod
    def of_regions(cls) -> "TorchvisionAdapter":
        """Return how networks with region proposals see: objectness and deltas of each map, then the regions' head."""
        return cls(
            head=lambda network: network.roi_heads,
            dense="rpn.head",
            shaped=lambda found: (found[: len(_RCNN)], found[len(_RCNN) :]),
            maps=_RCNN,
        )

    def pixels(self, settings: DetectionSettings) -> int:
        """Return the pixels of the network's input for a picture of 4 by 3."""
        height, width = _padded(_resized(3000, 4000, settings))
        return height * width

    def side(self, settings: DetectionSettings) -> int:
        """Return the shorter side that pictures are resized to."""
        return settings.min_size

    def prepare(self, image: Tensor, settings: DetectionSettings) -> DetectorInput:
        """Note at which size `image`, uint8 [h, w, 3], will be seen; the device resizes it."""
        size = _resized(image.shape[0], image.shape[1], settings)
        return DetectorInput(image, size, _padded(size), settings)

    def graph_source(self, network: nn.Module, precision: Precision) -> GraphSource:
        """Return the backbone, and in fp32 what looks at all places too: halves cannot tell a pixel of a box."""
        dense = network.get_submodule(self.dense) if precision.exact else None
        return GraphSource(
            _Everywhere(network.get_submodule("backbone"), dense),
            torch.zeros(_TRACED),
            free=(0, 2, 3),
            rounding=_ROUNDING,
        )

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch of inputs of the same `padded` on the network's device."""
        head, settings = self.head(network), inputs[0].settings
        head.score_thresh, head.nms_thresh = settings.box_score_thresh, settings.nms_iou_thresh
        head.detections_per_img = settings.box_detections_per_img
        device = next(network.parameters()).device
        dense, values = network.get_submodule(self.dense), list[Tensor]()

        def backbone(batch: Tensor) -> OrderedDict[str, Tensor]:
            values.extend(each.float() for each in graph(batch))
            return OrderedDict(zip(self.maps, values, strict=False))

        def looked(maps: list[Tensor]) -> Any:
            found = values[len(self.maps) :]
            return self.shaped(found) if found else dense(maps)

        with (
            _instead(network, "transform", Batching()),
            _instead(network, "backbone", _Calling(backbone)),
            _instead(network, self.dense, _Calling(looked)),
        ):
            results = network([_normalised(one, device) for one in inputs])
        return [self._found(result, one.size) for result, one in zip(results, inputs, strict=True)]

    def _found(self, result: dict[str, Tensor], size: tuple[int, int]) -> Detections:
        height, width = size
        boxes = result["boxes"].float().cpu() / torch.tensor([width, height, width, height])
        masks = list(result["masks"][:, 0].float().cpu()) if "masks" in result else None
        return Detections(boxes, result["scores"].float().cpu(), result["labels"].cpu() - self.first_label, masks)


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


class _Everywhere(nn.Module):
    """A backbone and the module that looks at all places of its maps: [N, 3, H, W] to the tensors of both."""

    def __init__(self, backbone: nn.Module, dense: nn.Module | None) -> None:
        super().__init__()
        self.backbone, self.dense = backbone, dense

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        maps = list(self.backbone(batch).values())
        return (*maps, *(_flat(self.dense(maps)) if self.dense is not None else ()))


class _Calling(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, given: Any) -> Any:
        return self.function(given)


@contextmanager
def _instead(network: nn.Module, path: str, module: nn.Module) -> Iterator[None]:
    """Have `module` in the place of another for a while."""
    place, _, name = path.rpartition(".")
    parent = network.get_submodule(place)
    real = getattr(parent, name)
    setattr(parent, name, module)
    try:
        yield
    finally:
        setattr(parent, name, real)


def _flat(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in (value.values() if isinstance(value, dict) else value) for tensor in _flat(part)]


def _normalised(one: DetectorInput, device: torch.device) -> Tensor:
    """Bring an image to the device, resize and normalise it: float32 [3, h, w]."""
    values = one.image.to(device).permute(2, 0, 1)[None].float()
    if values.shape[2:] != one.size:
        values = functional.interpolate(values, size=one.size, mode="bilinear", align_corners=False)
    return Statistics().normalised(values)[0]


def _resized(height: int, width: int, settings: DetectionSettings) -> tuple[int, int]:
    scale = min(settings.min_size / min(height, width), settings.max_size / max(height, width))
    # a side of a very thin picture would vanish
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))


def _padded(size: tuple[int, int]) -> tuple[int, int]:
    height, width = (math.ceil(side / _STRIDE) * _STRIDE for side in size)
    return height, width
