"""YoloTargets: the objects that yolov5 should find in a batch; Matches: which anchors in which cells should find them.

The rule is that of the network's authors. An object belongs to every anchor whose width and height are less than four
times and more than a quarter of its own, in the cell that holds its centre and in the two cells nearest to the centre;
so a centre may lie half a cell outside.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_MOST_RATIO = 4.0


@dataclass(frozen=True, slots=True)
class YoloTargets:
    """The objects of a batch, in pixels of the network's input.

    `images`: int64 [T], which image of the batch. `labels`: int64 [T]. `boxes`: float32 [T, 4], the centre's x and y,
    width and height. A crowd is no object, and nothing is wrong where it is: `crowd_images` int64 [K] and
    `crowd_boxes` float32 [K, 4] like those of objects.
    """

    images: Tensor
    labels: Tensor
    boxes: Tensor
    crowd_images: Tensor
    crowd_boxes: Tensor


@dataclass(frozen=True, slots=True)
class Matches:
    """Where one grid should find an object, one row for each object, anchor and cell.

    `objects`, `anchors`, `rows`, `columns`: int64 [M]; `objects` are indexes into the targets. `boxes`: float32 [M, 4],
    the centre from the cell's corner, width and height, in cells.
    """

    objects: Tensor
    anchors: Tensor
    rows: Tensor
    columns: Tensor
    boxes: Tensor


def match(boxes: Tensor, anchors: Tensor, cells: tuple[int, int]) -> Matches:
    """Find the anchors and cells of one grid that should find the objects.

    `boxes`: float32 [T, 4], centre's x and y, width and height in cells. `anchors`: float32 [3, 2], in cells. `cells`:
    how many there are down and across.
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
    return Matches(objects, kinds, rows, columns, wanted)


def crowded(boxes: Tensor, images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return where the cells of one grid lie in a crowd: bool [images, rows, columns], the `shape`.

    `boxes`: float32 [K, 4], centre's x and y, width and height in cells, of the `images`, int64 [K].
    """
    number, height, width = shape
    rows, columns = (torch.arange(length, device=boxes.device) + 0.5 for length in (height, width))
    x, y, across, down = (boxes / boxes.new_tensor([1, 1, 2, 2])).unbind(1)
    inside = ((rows - y[:, None]).abs() < down[:, None])[:, :, None]
    inside = inside & ((columns - x[:, None]).abs() < across[:, None])[:, None, :]
    return boxes.new_zeros(number, height, width).index_add_(0, images, inside.float()) > 0
