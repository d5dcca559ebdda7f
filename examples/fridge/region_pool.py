"""Cuts regions out of feature maps by multiplying matrices: the values of torchvision's RoIAlign, learned from faster.

RoIAlign averages bilinear samples on a regular grid, so it is linear along each axis by itself. Two products per
picture use all processors in both directions; torchvision's backward pass on a CPU uses one.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

_SAMPLES = 2
_NEAREST, _FARTHEST = 2, 5
_CANONICAL_SIDE, _CANONICAL_LEVEL = 224, 4


class RegionPool(nn.Module):
    """Stands in for MultiScaleRoIAlign over maps "0" to "3", 4 to 32 pixels a cell, with 2 samples a bin.

    cells: side of the square that each region becomes.
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, maps: Mapping[str, Tensor], regions: Sequence[Tensor], _sizes: object) -> Tensor:
        """Return [sum of n, C, cells, cells] for regions [n, 4] in pixels per picture and maps [N, C, h, w]."""
        channels = maps["0"].shape[1]
        pooled = maps["0"].new_zeros(sum(len(boxes) for boxes in regions), self.cells, self.cells, channels)
        start = 0
        for picture, boxes in enumerate(regions):
            levels = _levels(boxes)
            for level in sorted(set(levels.tolist())):
                chosen = torch.where(levels == level)[0]
                seen = maps[str(level - _NEAREST)][picture].permute(1, 2, 0)
                part = _cut(seen, boxes[chosen] / 2**level, self.cells)
                pooled = pooled.index_copy(0, start + chosen, part)
            start += len(boxes)
        return pooled.permute(0, 3, 1, 2)


def _levels(boxes: Tensor) -> Tensor:
    """Return which map shows each region best, int64 [n], as the power of two of its pixels per cell."""
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    level = (_CANONICAL_LEVEL + torch.log2(side / _CANONICAL_SIDE) + 1e-6).floor()
    return level.clamp(_NEAREST, _FARTHEST).long()


def _cut(seen: Tensor, boxes: Tensor, cells: int) -> Tensor:
    """Return regions [n, cells, cells, C] of one map [h, w, C]; boxes [n, 4] in its cells."""
    height, width, channels = seen.shape
    down = _weights(boxes[:, 1], boxes[:, 3], cells, height)
    across = _weights(boxes[:, 0], boxes[:, 2], cells, width)
    rows = down.flatten(0, 1) @ seen.reshape(height, width * channels)
    return across[:, None] @ rows.view(len(boxes), cells, width, channels)


def _weights(low: Tensor, high: Tensor, cells: int, length: int) -> Tensor:
    """Return the share of each of `length` places in each bin, [n, cells, length]; ends [n] in places."""
    steps = (torch.arange(cells * _SAMPLES, device=low.device) + 0.5) / _SAMPLES
    step = (high - low).clamp(min=1.0) / cells
    spots = low[:, None] + step[:, None] * steps
    inside = (spots >= -1.0) & (spots <= length)
    spots = spots.clamp(0.0, length - 1.0)
    places = torch.arange(length, device=low.device)
    shares = (1.0 - (spots[..., None] - places).abs()).clamp(min=0.0) * inside[..., None]
    return shares.view(len(low), cells, _SAMPLES, length).mean(2)
