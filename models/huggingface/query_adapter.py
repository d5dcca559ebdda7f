"""How the detectors of transformers see: as their processors prepare pictures, and what their queries have found.

DETR (Carion et al., https://arxiv.org/abs/2005.12872) and its successors answer with a fixed number of boxes, each with
a score for every label. Two rules choose among them; both are the library's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision.ops import batched_nms, box_convert

from models.detection.adapter import Detections, DetectorInput
from models.errors import ModelError
from models.huggingface.processor import Recipe
from models.images.antialias import FILTERS, resized
from models.runtime.precision import Precision
from models.runtime.runtime import Graph, GraphSource
from settings.model import QueryDetectionSettings

_ROUNDING = 1e-4  # of outputs, which moves boxes by far less than a pixel
_TRACED = (256, 320)  # the example that runtimes convert with where sizes differ

Rule = Literal["exclusive", "independent"]


@dataclass(frozen=True, slots=True)
class TransformersAdapter:
    """What all of them share: how pictures are prepared, and that the whole network is run."""

    recipe: Recipe

    def pixels(self, settings: QueryDetectionSettings) -> int:
        """Return the pixels of the network's input for a picture of 4 by 3."""
        height, width = self.recipe.padded(self.recipe.resized(3000, 4000))
        return height * width

    def side(self, settings: QueryDetectionSettings) -> int:
        """Return the shorter side that pictures are resized to at most."""
        return self.recipe.side

    def prepare(self, image: Tensor, settings: QueryDetectionSettings) -> DetectorInput:
        """Resize an image or a tile, uint8 [h, w, 3], as Pillow does, on a CPU thread."""
        return _prepared(self.recipe, image, settings)

    def graph_source(self, network: nn.Module, precision: Precision) -> GraphSource:
        """Return the whole network, from [N, 4, H, W] as `batch_of` makes them to its outputs."""
        side = self.recipe.fixed or _TRACED
        example = torch.zeros(2, 4, *side)
        example[:, 3] = 1
        return GraphSource(network, example, free=(0,) if self.recipe.fixed else (0, 2, 3), rounding=_ROUNDING)


@dataclass(frozen=True, slots=True)
class QueryAdapter(TransformersAdapter):
    """Networks of the class Outputs that answer with logits and boxes; a fourth input channel masks the image.

    `exclusive` takes each query for at most one object, the last label meaning none; `independent` gives each label of
    each query a probability of its own, and takes the best of all.
    """

    rule: Rule

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch on the network's device. ModelError where the network computes no numbers."""
        logits, boxes = numbers(graph(batch_of(self.recipe, inputs, next(network.parameters()).device)))
        return [select(*pair, self.rule, inputs[0].settings) for pair in zip(logits, boxes, strict=True)]


def select(logits: Tensor, boxes: Tensor, rule: Rule, settings: QueryDetectionSettings) -> Detections:
    """Choose among what the queries answer for one input: logits [Q, C], boxes [Q, 4] as centre and size in [0, 1]."""
    if rule == "exclusive":
        scores, labels = logits.softmax(1)[:, :-1].max(1)
        queries = torch.arange(len(scores), device=scores.device)
    else:
        every = logits.sigmoid().flatten()
        scores, places = every.topk(min(settings.most_boxes, len(every)))
        queries, labels = places // logits.shape[1], places % logits.shape[1]
    corners = box_convert(boxes[queries], "cxcywh", "xyxy").clamp(0, 1)
    likely = scores > settings.box_score_thresh
    return best(Detections(corners[likely], scores[likely], labels[likely]), settings)[0]


def best(found: Detections, settings: QueryDetectionSettings) -> tuple[Detections, Tensor]:
    """Sort by score, suppress where that is asked for, and move at most `most_boxes` to the CPU; with their indexes."""
    order = found.scores.argsort(descending=True, stable=True)
    if settings.nms_iou_thresh < 1:
        order = batched_nms(found.boxes, found.scores, found.labels, settings.nms_iou_thresh)
    order = order[: settings.most_boxes]
    return Detections(found.boxes[order].cpu(), found.scores[order].cpu(), found.labels[order].cpu()), order


def _prepared(recipe: Recipe, image: Tensor, settings: QueryDetectionSettings | None = None) -> DetectorInput:
    height, width = recipe.resized(image.shape[0], image.shape[1])
    kernel = FILTERS[recipe.statistics.interpolation]
    values = resized(Image.fromarray(image.numpy()), (width, height), (0, 0, width, height), kernel)
    return DetectorInput(torch.from_numpy(values), (height, width), recipe.padded((height, width)), settings)


def batch_of(recipe: Recipe, inputs: Sequence[DetectorInput], device: torch.device) -> Tensor:
    """Bring inputs of one padded size to the device: float32 [N, 4, H, W], normalised, padded with 0 after that.

    The last channel is 1 where there is image, and 0 where there is padding.
    """
    height, width = inputs[0].padded
    batch = torch.zeros(len(inputs), 4, height, width, device=device).contiguous(memory_format=torch.channels_last)
    for place, each in zip(batch, inputs, strict=True):
        values = each.image.to(device).permute(2, 0, 1)[None].float()
        place[:3, : each.size[0], : each.size[1]] = recipe.statistics.normalised(values)[0]
        place[3, : each.size[0], : each.size[1]] = 1
    return batch


def numbers(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return outputs in float32; ModelError where they are no numbers, which thresholds would pass over in silence."""
    values = [each.float() for each in outputs]
    if not all(bool(torch.isfinite(each).all()) for each in values):
        raise ModelError("The network computed values that are not finite. Check its weights and precision.")
    return values


def seen(recipe: Recipe, picture: Image.Image) -> NDArray[np.float32]:
    """Return what a network sees of a picture: float32 [3, H, W]."""
    prepared = _prepared(recipe, torch.from_numpy(np.array(picture)))
    found: NDArray[np.float32] = batch_of(recipe, [prepared], torch.device("cpu"))[0, :3].numpy()
    return found
