"""The loss of yolov5: which anchors in which cells should predict an object, and how wrong they are.

The rules are those that the network's authors published. An object belongs to every anchor whose width and height are
less than four times and more than a quarter of its own, in the cell that holds its centre and in the two cells nearest
to the centre; so a centre may lie half a cell outside. Boxes are compared by CIoU (Zheng et al.,
https://arxiv.org/abs/1911.08287).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss

from models.networks.yolov5 import STRIDES, Detect

_MOST_RATIO = 4.0
# Weights of boxes, objectness and classes, and of objectness by grid: the fine grid has most cells, nearly all empty
_BOX, _OBJECTNESS, _CLASS = 0.05, 0.06, 0.025
_BALANCE = (4.0, 1.0, 0.4)


@dataclass(frozen=True, slots=True)
class SceneTargets:
    """The objects of a batch: its targets.

    images: int64 [T], which image of the batch. labels: int64 [T]. boxes: float32 [T, 4], the centre's x and y,
    width and height in pixels of the network's input.
    """

    images: Tensor
    labels: Tensor
    boxes: Tensor

    def to(self, device: torch.device) -> "SceneTargets":
        """Return the targets on another device."""
        return SceneTargets(self.images.to(device), self.labels.to(device), self.boxes.to(device))


@dataclass(frozen=True, slots=True)
class AnchorMatches:
    """Where one grid should predict an object, one row for each object, anchor and cell.

    objects, anchors, rows, columns: int64 [M]; `objects` are indexes into the targets. boxes: float32 [M, 4], centre
    from the cell's corner, width and height, in cells.
    """

    objects: Tensor
    anchors: Tensor
    rows: Tensor
    columns: Tensor
    boxes: Tensor


def yolo_loss(head: Detect, grids: Sequence[Tensor], targets: SceneTargets) -> Tensor:
    """Return the loss, a scalar, of the raw grids of `Detect`, [N, 3, h, w, classes + 5] each."""
    total = grids[0].new_zeros(())
    for level, grid in enumerate(grids):
        matches = match(targets.boxes / STRIDES[level], head.anchors[level], (grid.shape[2], grid.shape[3]))
        images = targets.images[matches.objects]
        predicted = grid[images, matches.anchors, matches.rows, matches.columns]
        box_loss = complete_box_iou_loss(
            _corners(_boxes(predicted, head.anchors[level][matches.anchors])), _corners(matches.boxes)
        )
        # The target of objectness is how well the box fits, so that the best boxes score best
        places = ((images * 3 + matches.anchors) * grid.shape[2] + matches.rows) * grid.shape[3] + matches.columns
        fits = torch.zeros(grid.shape[:4].numel(), device=grid.device)
        fits.scatter_reduce_(0, places, (1 - box_loss.detach()).clamp(0), "amax")
        objectness = functional.binary_cross_entropy_with_logits(grid[..., 4].flatten(), fits)
        total = total + _OBJECTNESS * _BALANCE[level] * objectness
        if len(places):
            kinds = functional.one_hot(targets.labels[matches.objects], head.outputs - 5).float()
            classes = functional.binary_cross_entropy_with_logits(predicted[:, 5:], kinds)
            total = total + _BOX * box_loss.mean() + _CLASS * classes
    return total


def match(boxes: Tensor, anchors: Tensor, cells: tuple[int, int]) -> AnchorMatches:
    """Find the anchors and cells of one grid that should predict the objects.

    boxes: float32 [T, 4], centre's x and y, width and height in cells. anchors: float32 [3, 2], in cells. cells: how
    many there are down and across.
    """
    ratios = boxes[:, None, 2:] / anchors
    objects, kinds = (torch.maximum(ratios, 1 / ratios).amax(2) < _MOST_RATIO).nonzero(as_tuple=True)
    centres = boxes[objects, :2]
    own = centres.floor()
    nearest = torch.where(centres - own < 0.5, -1.0, 1.0)
    beside, below = nearest * nearest.new_tensor([1, 0]), nearest * nearest.new_tensor([0, 1])
    places = torch.cat([own, own + beside, own + below])
    inside = ((places >= 0) & (places < places.new_tensor([cells[1], cells[0]]))).all(1)
    objects, kinds, places = objects.repeat(3)[inside], kinds.repeat(3)[inside], places[inside]
    wanted = torch.cat([boxes[objects, :2] - places, boxes[objects, 2:]], 1)
    columns, rows = places.long().unbind(1)
    return AnchorMatches(objects, kinds, rows, columns, wanted)


def _boxes(predicted: Tensor, anchors: Tensor) -> Tensor:
    """Turn raw values [M, 5 + classes] into boxes [M, 4] from their cell's corner, in cells."""
    values = predicted[:, :4].sigmoid()
    return torch.cat([values[:, :2] * 2 - 0.5, (values[:, 2:] * 2) ** 2 * anchors], 1)


def _corners(boxes: Tensor) -> Tensor:
    middle, half = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat([middle - half, middle + half], 1)
