"""How yolov5 is fed and read: a letterboxed square in, the boxes that pass the thresholds out.

The rules, their order and their bounds are those of AutoML for Images: first the objectness of a box must pass the
threshold, then its score, which is the objectness times the score of its best class; boxes of one class suppress each
other.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import box_convert, nms

from models.detection.adapter import Detections, DetectorInput
from models.errors import ModelError
from models.images.letterbox import GREY, corner, letterbox
from models.networks.yolov5 import YoloV5
from models.runtime.precision import Precision
from models.runtime.runtime import Graph, GraphSource
from settings.model import YoloSettings

# Boxes of different classes are moved this many pixels apart: one pass then suppresses within classes only
_APART = 4096

_ROUNDING = 1e-4  # an error of the maps that moves boxes by far less than a pixel
_TRACED = 128  # the side of the example that runtimes convert with; other sides work too


class YoloAdapter:
    """Adapter of YoloV5. It holds no state."""

    def pixels(self, settings: YoloSettings) -> int:
        """Return the pixels of the square that every image becomes."""
        return settings.img_size**2

    def side(self, settings: YoloSettings) -> int:
        """Return the side of the square, which the longer side of an image fills."""
        return settings.img_size

    def prepare(self, image: Tensor, settings: YoloSettings) -> DetectorInput:
        """Fit an image or a tile, uint8 [h, w, 3], into the middle of a grey square."""
        square, size = letterbox(image.numpy(), settings.img_size)
        return DetectorInput(torch.from_numpy(square), size, (settings.img_size, settings.img_size), settings)

    def graph_source(self, network: nn.Module, precision: Precision) -> GraphSource:
        """Return all layers before the head, from uint8 [N, S, S, 3] to maps.

        The head runs in fp32, as small differences between values decide about a box.
        """
        assert isinstance(network, YoloV5)
        return GraphSource(
            _Maps(network),
            torch.zeros((2, _TRACED, _TRACED, 3), dtype=torch.uint8),
            free=(0, 1, 2),
            rounding=_ROUNDING,
            steady=True,
        )

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch on the network's device. ModelError where the network computes no numbers."""
        assert isinstance(network, YoloV5)
        with torch.inference_mode():
            maps = graph(torch.stack([one.image for one in inputs]))
            grids = network.head([values.float() for values in maps])
            # sigmoids would turn infinities into plausible scores, and thresholds would drop NaN silently
            if not all(bool(torch.isfinite(grid).all()) for grid in grids):
                raise ModelError("The network computed values that are not finite. Check its weights and precision.")
            rows = network.head.decode(grids)
            return [within(select(boxes, one.settings), one) for boxes, one in zip(rows, inputs, strict=True)]

    def content(self, source: DetectorInput) -> Tensor:
        """Return the image without the grey around it: float32 [h, w, 3] in [0, 255]."""
        (height, width), (top, left) = source.size, corner(source.size, source.padded)
        return source.image[top : top + height, left : left + width].float()

    def normalised(self, content: Tensor) -> Tensor:
        """Scale content [h, w, 3] to [0, 1]: float32 [3, h, w]."""
        return content.permute(2, 0, 1) / 255

    def padded(self, inputs: Tensor, padded: tuple[int, int]) -> Tensor:
        """Put inputs into the middle of grey squares."""
        height, width = inputs.shape[2:]
        top, left = corner((height, width), padded)
        around = (left, padded[1] - width - left, top, padded[0] - height - top)
        return functional.pad(inputs, around, value=GREY / 255)

    def graph_input(self, padded: Tensor) -> Tensor:
        """Return squares of bytes, uint8 [N, S, S, 3]."""
        return (padded * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


class _Maps(nn.Module):
    """The layers of a network before its head, from images in [0, 255]."""

    def __init__(self, network: YoloV5) -> None:
        super().__init__()
        self.network = network

    def forward(self, squares: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.maps(squares.permute(0, 3, 1, 2).float().div_(255)))


def select(rows: Tensor, settings: YoloSettings) -> Detections:
    """Select among the decoded boxes of one input, float32 [N, 5 + classes] from `Detect.decode`.

    Returns at most 300 boxes on the device of `rows`: left, top, right, bottom in pixels of the square.
    """
    likely = rows[rows[:, 4] > settings.box_score_thresh]
    scores, labels = (likely[:, 4:5] * likely[:, 5:]).max(1)
    passed = scores > settings.box_score_thresh
    boxes, scores, labels = box_convert(likely[passed, :4], "cxcywh", "xyxy"), scores[passed], labels[passed]
    best = nms(boxes + labels[:, None] * _APART, scores, settings.nms_iou_thresh)[: settings.most_boxes]
    return Detections(boxes[best], scores[best], labels[best])


def within(detections: Detections, source: DetectorInput) -> Detections:
    """Convert boxes from pixels of the square to shares of its content, clip them and move them to the CPU."""
    height, width = source.size
    top, left = corner(source.size, source.padded)
    across = (detections.boxes[:, 0::2] - left).clamp(0, width) / width
    down = (detections.boxes[:, 1::2] - top).clamp(0, height) / height
    boxes = torch.stack([across, down], 2).flatten(1)
    return Detections(boxes.cpu(), detections.scores.cpu(), detections.labels.cpu())
