"""How the detectors of transformers are fed and read: images as their processors prepare them, boxes from queries.

DETR (Carion et al., https://arxiv.org/abs/2005.12872) and its successors return a fixed number of boxes, each with a
score for every label. One of two rules selects among them; both are the library's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms, box_convert

from models.detection.adapter import Detections, DetectorInput
from models.errors import ModelError
from models.huggingface.processor_spec import ProcessorSpec
from models.images.antialias import FILTERS, resized
from models.runtime.precision import Precision
from models.runtime.runtime import Graph, GraphSource
from settings.model import QueryDetectionSettings

_ROUNDING = 1e-4  # an error of the outputs that moves boxes by far less than a pixel
_TRACED = (256, 320)  # height and width of the example that runtimes convert with, where sizes vary

Rule = Literal["exclusive", "independent"]


@dataclass(frozen=True, slots=True)
class TransformersAdapter:
    """What these adapters share: images are prepared by the spec, and a runtime computes the whole network."""

    spec: ProcessorSpec

    def pixels(self, settings: QueryDetectionSettings) -> int:
        """Return the pixels of the network's input for an image of 4 by 3."""
        height, width = self.spec.padded(self.spec.resized(3000, 4000))
        return height * width

    def side(self, settings: QueryDetectionSettings) -> int:
        """Return the longest shorter side that images are resized to."""
        return self.spec.side

    def prepare(self, image: Tensor, settings: QueryDetectionSettings) -> DetectorInput:
        """Resize an image or a tile, uint8 [h, w, 3], as Pillow does, on a CPU thread."""
        return _prepared(self.spec, image, settings)

    def graph_source(self, network: nn.Module, precision: Precision) -> GraphSource:
        """Return the whole network, from the [N, 4, H, W] of `batch_of` to its outputs."""
        side = self.spec.fixed or _TRACED
        example = torch.zeros(2, 4, *side)
        example[:, 3] = 1
        free = (0,) if self.spec.fixed else (0, 2, 3)
        return GraphSource(network, example, free=free, rounding=_ROUNDING, steady=True)

    def content(self, source: DetectorInput) -> Tensor:
        """Return the resized image: float32 [h, w, 3] in [0, 255]."""
        return source.image.float()

    def normalised(self, content: Tensor) -> Tensor:
        """Normalise content [h, w, 3]: float32 [3, h, w]."""
        return self.spec.statistics.normalised(content.permute(2, 0, 1)[None].clone())[0]

    def padded(self, inputs: Tensor, padded: tuple[int, int]) -> Tensor:
        """Pad with zeros on the right and below; a fourth channel is 1 in the image and 0 in the padding."""
        masked = torch.cat([inputs, torch.ones_like(inputs[:, :1])], 1)
        down, across = padded[0] - inputs.shape[2], padded[1] - inputs.shape[3]
        return functional.pad(masked, (0, across, 0, down)).contiguous(memory_format=torch.channels_last)

    def graph_input(self, padded: Tensor) -> Tensor:
        """Return it as it is."""
        return padded


@dataclass(frozen=True, slots=True)
class QueryAdapter(TransformersAdapter):
    """Adapter of `Outputs` networks that return logits and boxes; a fourth input channel masks the image.

    With the rule `exclusive`, a query is at most one object, and its last label means none. With `independent`, each
    label of each query has a probability of its own, and the best of all pairs are taken.
    """

    rule: Rule

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch on the network's device. ModelError where the network computes no numbers."""
        logits, boxes = finite(graph(batch_of(self.spec, inputs, next(network.parameters()).device)))
        return [select(*pair, self.rule, inputs[0].settings) for pair in zip(logits, boxes, strict=True)]


def select(logits: Tensor, boxes: Tensor, rule: Rule, settings: QueryDetectionSettings) -> Detections:
    """Select among the queries of one input: logits [Q, C], boxes [Q, 4] as centre and size in [0, 1]."""
    if rule == "exclusive":
        scores, labels = logits.softmax(1)[:, :-1].max(1)
        queries = torch.arange(len(scores), device=scores.device)
    else:
        pairs = logits.sigmoid().flatten()
        scores, places = pairs.topk(min(settings.most_boxes, len(pairs)))
        queries, labels = places // logits.shape[1], places % logits.shape[1]
    corners = box_convert(boxes[queries], "cxcywh", "xyxy").clamp(0, 1)
    likely = scores > settings.box_score_thresh
    return best(Detections(corners[likely], scores[likely], labels[likely]), settings)[0]


def best(detections: Detections, settings: QueryDetectionSettings) -> tuple[Detections, Tensor]:
    """Sort by score, suppress overlaps if the settings say so, and return at most `most_boxes` and their indexes.

    The detections are on the CPU, the indexes [N] on the device of the input.
    """
    boxes, scores, labels = detections.boxes, detections.scores, detections.labels
    order = scores.argsort(descending=True, stable=True)
    if settings.nms_iou_thresh < 1:
        order = batched_nms(boxes, scores, labels, settings.nms_iou_thresh)
    order = order[: settings.most_boxes]
    return Detections(boxes[order].cpu(), scores[order].cpu(), labels[order].cpu()), order


def _prepared(spec: ProcessorSpec, image: Tensor, settings: QueryDetectionSettings | None = None) -> DetectorInput:
    height, width = spec.resized(image.shape[0], image.shape[1])
    kernel = FILTERS[spec.statistics.interpolation]
    values = resized(Image.fromarray(image.numpy()), (width, height), (0, 0, width, height), kernel)
    return DetectorInput(torch.from_numpy(values), (height, width), spec.padded((height, width)), settings)


def batch_of(spec: ProcessorSpec, inputs: Sequence[DetectorInput], device: torch.device) -> Tensor:
    """Copy inputs of one padded size to the device: float32 [N, 4, H, W], normalised, then padded with 0.

    The last channel is 1 in the image and 0 in the padding.
    """
    height, width = inputs[0].padded
    batch = torch.zeros(len(inputs), 4, height, width, device=device).contiguous(memory_format=torch.channels_last)
    for place, each in zip(batch, inputs, strict=True):
        values = each.image.to(device).permute(2, 0, 1)[None].float()
        place[:3, : each.size[0], : each.size[1]] = spec.statistics.normalised(values)[0]
        place[3, : each.size[0], : each.size[1]] = 1
    return batch


def finite(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return outputs in float32; ModelError where they are not finite, which thresholds would hide."""
    values = [each.float() for each in outputs]
    if not all(bool(torch.isfinite(each).all()) for each in values):
        raise ModelError("The network computed values that are not finite. Check its weights and precision.")
    return values


def network_input(spec: ProcessorSpec, image: Image.Image) -> NDArray[np.float32]:
    """Return the network's input for an image: float32 [3, H, W]."""
    prepared = _prepared(spec, torch.from_numpy(np.array(image)))
    values: NDArray[np.float32] = batch_of(spec, [prepared], torch.device("cpu"))[0, :3].numpy()
    return values
