"""The loss of yolov5: how wrong the boxes, the objectness and the labels are, weighted as its authors published.

Boxes are compared by CIoU (Zheng et al., https://arxiv.org/abs/1911.08287). The weights are those for networks of 80
labels and images of 640 pixels, and are scaled for others: with fewer labels there is less to get wrong, and smaller
grids have fewer empty cells.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss

from models.networks.yolov5 import STRIDES, Detect
from training.detection.yolo_targets import YoloTargets, crowded, match

_BOX, _CLASS, _OBJECTNESS = 0.05, 0.58, 1.0
_LABELS, _PIXELS = 80, 640
# Of objectness, by grid: the fine grid has most cells, nearly all empty
_BALANCE = (4.0, 1.0, 0.4)
# The authors' loss is a sum over the images of a batch; learning rates are meant for that many
_BATCH = 16


def yolo_losses(head: Detect, grids: Sequence[Tensor], targets: YoloTargets, side: int) -> dict[str, Tensor]:
    """Return the parts of the loss, scalars, of the raw grids of `Detect`, [N, 3, h, w, classes + 5] each.

    `side`: the side in pixels of the images that the network is meant for. Each part is that of a batch of 16
    images, whatever N is.
    """
    box, objectness, label = (grids[0].new_zeros((), dtype=torch.float32) for _ in range(3))
    for level, raw in enumerate(grids):
        grid = raw.float()
        number, anchors, height, width = grid.shape[:4]
        matches = match(targets.boxes / STRIDES[level], head.anchors[level], (height, width))
        images = targets.images[matches.objects]
        predicted = grid[images, matches.anchors, matches.rows, matches.columns]
        differences = complete_box_iou_loss(
            _corners(_boxes(predicted, head.anchors[level][matches.anchors])), _corners(matches.boxes)
        )
        # The target of objectness is how well the box fits, so that the best boxes score best
        places = ((images * anchors + matches.anchors) * height + matches.rows) * width + matches.columns
        fits = torch.zeros(number * anchors * height * width, device=grid.device)
        fits.scatter_reduce_(0, places, (1 - differences.detach()).clamp(0), "amax")
        counted = None
        if len(targets.crowd_images):
            crowd = crowded(targets.crowd_boxes / STRIDES[level], targets.crowd_images, (number, height, width))
            outside = (~crowd[:, None]).expand(-1, anchors, -1, -1).reshape(-1)
            counted = outside.index_fill(0, places, True).float()
        objectness = objectness + _BALANCE[level] * functional.binary_cross_entropy_with_logits(
            grid[..., 4].reshape(-1), fits, counted
        )
        if len(places):
            kinds = functional.one_hot(targets.labels[matches.objects], head.outputs - 5).float()
            label = label + functional.binary_cross_entropy_with_logits(predicted[:, 5:], kinds)
            box = box + differences.mean()
    return {
        "box": _BATCH * _BOX * box,
        "objectness": _BATCH * _OBJECTNESS * (side / _PIXELS) ** 2 * objectness,
        "class": _BATCH * _CLASS * (head.outputs - 5) / _LABELS * label,
    }


def _boxes(predicted: Tensor, anchors: Tensor) -> Tensor:
    """Turn raw values [M, 5 + classes] into boxes [M, 4] from their cell's corner, in cells."""
    values = predicted[:, :4].sigmoid()
    return torch.cat([values[:, :2] * 2 - 0.5, (values[:, 2:] * 2) ** 2 * anchors], 1)


def _corners(boxes: Tensor) -> Tensor:
    middle, half = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat([middle - half, middle + half], 1)
