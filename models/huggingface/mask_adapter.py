"""How MaskFormer and Mask2Former of transformers are fed and read: each query has labels and a mask of the image.

Cheng et al., https://arxiv.org/abs/2107.06278 and https://arxiv.org/abs/2112.01527. Scores and masks are those of the
library's post-processing for instances; a box is the extent of its mask.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.detection.adapter import Detections, DetectorInput
from models.huggingface.query_adapter import TransformersAdapter, batch_of, best, finite
from models.runtime.runtime import Graph
from settings.model import QuerySegmentationSettings

_EPSILON = 1e-6  # added to the number of pixels, so that an empty mask has a mean


@dataclass(frozen=True, slots=True)
class MaskAdapter(TransformersAdapter):
    """Adapter of `Outputs` networks: logits of labels [N, Q, C + 1] and of masks [N, Q, h, w].

    Masks are first enlarged to a square with sides of `square` pixels; None leaves them as they are.
    """

    square: int | None

    def detect(self, network: nn.Module, graph: Graph, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch on the network's device. ModelError where the network computes no numbers."""
        labels, masks = finite(graph(batch_of(self.spec, inputs, next(network.parameters()).device)))
        if self.square is not None:
            masks = functional.interpolate(masks, size=(self.square, self.square), mode="bilinear", align_corners=False)
        return [
            select(logits, places, each.size, each.settings)
            for logits, places, each in zip(labels, masks, inputs, strict=True)
        ]


def select(logits: Tensor, masks: Tensor, size: tuple[int, int], settings: QuerySegmentationSettings) -> Detections:
    """Select among the queries of one input: logits [Q, C + 1], masks [Q, h, w] as logits.

    Masks of the result are bool, the pixels of each box at `size` (height, width). A query may give several instances,
    one for each label.
    """
    shares = logits.softmax(1)[:, :-1]
    scores, places = shares.flatten().topk(len(logits))
    queries, labels = places // shares.shape[1], places % shares.shape[1]
    inside = masks > 0
    mask_scores = (masks.sigmoid() * inside).flatten(1).sum(1) / (inside.flatten(1).sum(1) + _EPSILON)
    scores = scores * mask_scores[queries]
    likely = scores > settings.box_score_thresh
    scores, queries, labels = scores[likely], queries[likely], labels[likely]
    enlarged = [_enlarged(masks[query] > _logit(settings.mask_pixel_score_threshold), size) for query in queries]
    visible = [number for number, pixels in enumerate(enlarged) if pixels.any()]
    corners = [_corners(enlarged[number]) for number in visible]
    whole = torch.tensor([*size[::-1]] * 2, device=logits.device)
    boxes = torch.tensor(corners, dtype=torch.float32, device=logits.device).view(-1, 4) / whole
    selected, order = best(Detections(boxes, scores[visible], labels[visible]), settings)
    cut = [enlarged[visible[number]][_window(corners[number])] for number in order.tolist()]
    return Detections(selected.boxes, selected.scores, selected.labels, cut)


def _enlarged(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge a mask, bool [h, w], to `size` by the nearest cell, on the CPU."""
    return functional.interpolate(cells[None, None].float(), size=size, mode="nearest")[0, 0].bool().cpu()


def _corners(pixels: Tensor) -> tuple[int, int, int, int]:
    """Return the extent of the pixels that are set: left, top, and the first pixels beyond on the right and below."""
    (rows,), (columns,) = pixels.any(1).nonzero(as_tuple=True), pixels.any(0).nonzero(as_tuple=True)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _window(corners: tuple[int, int, int, int]) -> tuple[slice, slice]:
    left, top, right, bottom = corners
    return slice(top, bottom), slice(left, right)


def _logit(share: float) -> float:
    if share in (0, 1):
        return math.inf if share else -math.inf
    return math.log(share / (1 - share))
