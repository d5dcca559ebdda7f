"""How the detectors of torchvision are fed and read: images resized to fit, normalised, padded to a multiple of 32.

More padding would change the detections near the right and lower edges. So only inputs of the same padded size share a
batch, and the reply for an image does not depend on the others in its batch.
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

# What torchvision does where nothing is set
LIBRARY_DEFAULTS = MappingProxyType(
    {"min_size": 800, "max_size": 1333, "box_score_thresh": 0.05, "nms_iou_thresh": 0.5, "box_detections_per_img": 100}
)

_STRIDE = 32  # of the deepest map that all of these networks have
_RCNN_MAPS = ("0", "1", "2", "3", "pool")
_ROUNDING = 1e-4  # an error of the maps that moves boxes by far less than a pixel
_TRACED = (2, 3, 256, 320)  # the example that runtimes convert with; other batches and sides work too


@dataclass(frozen=True, slots=True)
class TorchvisionAdapter:
    """Adapter of one family of torchvision's detectors.

    `thresholds(network)` is the module that holds the thresholds on boxes; `first_label` is its number of the first
    label. `map_names` are the names of the backbone's feature maps. `dense_head` is the path of the module that runs
    on every place of all maps; `unflatten` restores the nesting of its outputs from a flat list of tensors.
    """

    thresholds: Callable[[Any], Any]
    dense_head: str
    unflatten: Callable[[list[Tensor]], Any]
    map_names: tuple[str, ...]
    first_label: int = 1

    @classmethod
    def of_rcnn(cls) -> "TorchvisionAdapter":
        """Return the adapter of networks with region proposals: the dense head gives objectness and box deltas."""
        count = len(_RCNN_MAPS)
        return cls(
            thresholds=lambda network: network.roi_heads,
            dense_head="rpn.head",
            unflatten=lambda outputs: (outputs[:count], outputs[count:]),
            map_names=_RCNN_MAPS,
        )

    def pixels(self, settings: DetectionSettings) -> int:
        """Return the pixels of the network's input for an image of 4 by 3."""
        height, width = padded_size(fitted_size(3000, 4000, settings))
        return height * width

    def side(self, settings: DetectionSettings) -> int:
        """Return the shorter side that images are resized to."""
        return settings.min_size

    def prepare(self, image: Tensor, settings: DetectionSettings) -> DetectorInput:
        """Compute the size at which the network will see `image`, uint8 [h, w, 3]; the device resizes it."""
        size = fitted_size(image.shape[0], image.shape[1], settings)
        return DetectorInput(image, size, padded_size(size), settings)

    def graph_source(self, network: nn.Module, precision: Precision) -> GraphSource:
        """Return the backbone, and in fp32 the dense head too: smaller types cannot tell a pixel of a box."""
        dense_head = network.get_submodule(self.dense_head) if precision.full else None
        return GraphSource(
            _BackboneAndHead(network.get_submodule("backbone"), dense_head),
            torch.zeros(_TRACED),
            free=(0, 2, 3),
            rounding=_ROUNDING,
            steady=True,
        )

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch of inputs of the same `padded` on the network's device.

        The network runs as torchvision wrote it, with stand-ins for the modules that `graph` has computed already.
        """
        holder, settings = self.thresholds(network), inputs[0].settings
        holder.score_thresh, holder.nms_thresh = settings.box_score_thresh, settings.nms_iou_thresh
        holder.detections_per_img = settings.box_detections_per_img
        device = next(network.parameters()).device
        images = _batched([_normalised(each, device) for each in inputs])
        outputs = [each.float() for each in graph(images.tensors)]
        with self.computed(network, images, outputs):
            results = network(list(images.tensors))
        return [self._detections(result, each.size) for result, each in zip(results, inputs, strict=True)]

    def content(self, source: DetectorInput) -> Tensor:
        """Return the resized image: float32 [h, w, 3] in [0, 255] on the CPU."""
        return _resized(source, torch.device("cpu"))[0].permute(1, 2, 0)

    def normalised(self, content: Tensor) -> Tensor:
        """Normalise content [h, w, 3]: float32 [3, h, w]."""
        return Statistics().normalised(content.permute(2, 0, 1)[None].clone())[0]

    def padded(self, inputs: Tensor, padded: tuple[int, int]) -> Tensor:
        """Pad with zeros on the right and below."""
        down, across = padded[0] - inputs.shape[2], padded[1] - inputs.shape[3]
        return functional.pad(inputs, (0, across, 0, down)).contiguous(memory_format=torch.channels_last)

    def graph_input(self, padded: Tensor) -> Tensor:
        """Return it as it is."""
        return padded

    @contextmanager
    def computed(self, network: nn.Module, images: ImageList, outputs: Sequence[Tensor]) -> Iterator[None]:
        """Let a network use what the graph computed for `images`, for the time of a `with` block.

        These stand in for its transform, its backbone and its dense head. Without outputs of the dense head, as in
        small types, the network computes these itself.
        """
        count = len(self.map_names)
        maps, dense = OrderedDict(zip(self.map_names, outputs[:count], strict=True)), list(outputs[count:])
        real_head = network.get_submodule(self.dense_head)

        def dense_head(given: list[Tensor]) -> Any:
            return self.unflatten(dense) if dense else real_head(given)

        with (
            _replaced(network, "transform", _Prepared(images)),
            _replaced(network, "backbone", _FunctionModule(lambda batch: maps)),
            _replaced(network, self.dense_head, _FunctionModule(dense_head)),
        ):
            yield

    def _detections(self, result: dict[str, Tensor], size: tuple[int, int]) -> Detections:
        height, width = size
        boxes = result["boxes"].float().cpu() / torch.tensor([width, height, width, height])
        masks = list(result["masks"][:, 0].float().cpu()) if "masks" in result else None
        return Detections(boxes, result["scores"].float().cpu(), result["labels"].cpu() - self.first_label, masks)


class _Prepared(nn.Module):
    """Stands in for a detector's own transform: images are prepared already, boxes leave as they are."""

    def __init__(self, images: ImageList) -> None:
        super().__init__()
        self.images = images

    def forward(self, images: Sequence[Tensor], targets: None = None) -> tuple[ImageList, None]:
        return self.images, None

    def postprocess(self, result: list[dict[str, Tensor]], *sizes: object) -> list[dict[str, Tensor]]:
        """Return boxes and masks in the coordinates of the input."""
        return result


class _BackboneAndHead(nn.Module):
    """A backbone and the dense head on its maps: [N, 3, H, W] to the tensors of both."""

    def __init__(self, backbone: nn.Module, dense_head: nn.Module | None) -> None:
        super().__init__()
        self.backbone, self.dense_head = backbone, dense_head

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        maps = list(self.backbone(batch).values())
        return (*maps, *(_flat(self.dense_head(maps)) if self.dense_head is not None else ()))


class _FunctionModule(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, given: Any) -> Any:
        return self.function(given)


@contextmanager
def _replaced(network: nn.Module, path: str, module: nn.Module) -> Iterator[None]:
    """Put `module` in the place of the one at `path` for the time of a `with` block."""
    above, _, name = path.rpartition(".")
    parent = network.get_submodule(above)
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


def _batched(images: Sequence[Tensor]) -> ImageList:
    """Pad normalised images, float32 [3, h, w] each, with zeros on the right and below, to one size."""
    height, width = padded_size((max(image.shape[1] for image in images), max(image.shape[2] for image in images)))
    batch = images[0].new_zeros((len(images), 3, height, width))
    batch = batch.contiguous(memory_format=torch.channels_last)
    for place, image in zip(batch, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    return ImageList(batch, [(image.shape[1], image.shape[2]) for image in images])


def _normalised(source: DetectorInput, device: torch.device) -> Tensor:
    """Copy an image to the device, resize and normalise it: float32 [3, h, w]."""
    return Statistics().normalised(_resized(source, device))[0]


def _resized(source: DetectorInput, device: torch.device) -> Tensor:
    """Copy an image to the device and resize it: float32 [1, 3, h, w] in [0, 255]."""
    values = source.image.to(device).permute(2, 0, 1)[None].float()
    if values.shape[2:] != source.size:
        values = functional.interpolate(values, size=source.size, mode="bilinear", align_corners=False)
    return values


def fitted_size(height: int, width: int, settings: DetectionSettings) -> tuple[int, int]:
    """Return the (height, width) in pixels that an image of this height and width is resized to."""
    scale = min(settings.min_size / min(height, width), settings.max_size / max(height, width))
    # at least a pixel of a very thin image
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))


def padded_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) of the network's input around an image of this (height, width)."""
    height, width = (math.ceil(side / _STRIDE) * _STRIDE for side in size)
    return height, width
