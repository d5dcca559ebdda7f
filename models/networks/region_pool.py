"""Regions of feature maps, pooled into cells with all of a CPU's threads.

RoIAlign: He et al., https://arxiv.org/abs/1703.06870. A cell is the mean of two by two points, and a point interpolates
the four values around it; so each cell is one weighted sum of sixteen places of a map. torchvision's kernel for CPUs
runs on one thread and takes seven times as long on two cores.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import MultiScaleRoIAlign, roi_align
from torchvision.ops.poolers import initLevelMapper

_LEVELS = ["0", "1", "2", "3"]
_FIRST, _LAST = 2, 5  # how many times the input's sides are halved for the first and the last map
_POINTS = 2  # in a cell, along a side


class RegionPool(MultiScaleRoIAlign):  # type: ignore[misc]  # its package has no types
    """Pools regions into `side` by `side` cells, for a pyramid on all four stages of a ResNet.

    torchvision would derive the scales of the maps from the first image and keep them: a thin image, whose maps are
    rounded up a lot, would spoil the boxes of all later ones.
    """

    def __init__(self, side: int) -> None:
        super().__init__(_LEVELS, side, sampling_ratio=_POINTS)
        self.side = side
        self.scales = [0.5**level for level in range(_FIRST, _LAST + 1)]
        self.map_levels: Any = initLevelMapper(_FIRST, _LAST)

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pool corners [K, 4], in pixels of each image, from maps [N, C, h, w]: [sum of K, C, side, side]."""
        if boxes[0].device.type != "cpu":
            pooled: Tensor = super().forward(x, boxes, image_shapes)
            return pooled
        corners = torch.cat(boxes)
        image = torch.repeat_interleave(torch.tensor([len(each) for each in boxes]))
        level = self.map_levels(boxes)
        channels = x[_LEVELS[0]].shape[1]
        cells = corners.new_zeros((len(corners), self.side**2, channels))
        for index, (name, scale) in enumerate(zip(_LEVELS, self.scales, strict=True)):
            rows = torch.where(level == index)[0]
            if len(rows):
                cells[rows] = self._sums(x[name], corners[rows] * scale, image[rows])
        return cells.transpose(1, 2).reshape(-1, channels, self.side, self.side)

    def pooled(self, values: Tensor, corners: Tensor, image: Tensor) -> Tensor:
        """Pool corners [K, 4], in pixels of one map [N, C, h, w], of the images [K]: [K, C, side, side].

        Gradients reach the map.
        """
        if values.device.type != "cpu":
            boxes = torch.cat([image[:, None].to(corners.dtype), corners], 1)
            regions: Tensor = roi_align(values, boxes, self.side, sampling_ratio=_POINTS)
            return regions
        cells = self._sums(values, corners, image)
        return cells.transpose(1, 2).reshape(-1, values.shape[1], self.side, self.side)

    def _sums(self, values: Tensor, corners: Tensor, image: Tensor) -> Tensor:
        """Pool from one map, [N, C, h, w], by corners in pixels of the map: [K, side * side, C]."""
        height, width = values.shape[2:]
        # sums of rows that are not contiguous take ten times as long; in float32, like the boxes, also where autocast
        # computed the maps in a smaller type
        rows = values.permute(0, 2, 3, 1).contiguous().to(corners.dtype)
        left, top, right, bottom = corners.unbind(1)
        column, across = _places(left, right, self.side, width)
        row, down = _places(top, bottom, self.side, height)
        row = row + (image * height)[:, None, None]
        places = row[:, :, None, :, None] * width + column[:, None, :, None, :]
        shares = down[:, :, None, :, None] * across[:, None, :, None, :] / _POINTS**2
        sums = functional.embedding_bag(
            places.reshape(-1, (2 * _POINTS) ** 2),
            rows.reshape(-1, rows.shape[3]),
            per_sample_weights=shares.reshape(-1, (2 * _POINTS) ** 2),
            mode="sum",
        )
        return sums.view(len(corners), self.side**2, -1)


def _places(low: Tensor, high: Tensor, side: int, length: int) -> tuple[Tensor, Tensor]:
    """Return the places along one axis of a map that each cell sums up, and their weights: [K, side, 4] each."""
    cell = (high - low).clamp(min=1) / side
    within = (torch.arange(_POINTS) + 0.5) * cell[:, None] / _POINTS
    point = (low[:, None] + torch.arange(side) * cell[:, None])[:, :, None] + within[:, None, :]
    inside = (point >= -1) & (point <= length)
    point = point.clamp(0, length - 1)
    first = point.long()
    share = point - first
    places = torch.stack((first, (first + 1).clamp(max=length - 1)), -1)
    shares = torch.stack((1 - share, share), -1) * inside[..., None]
    return places.flatten(2), shares.flatten(2)
