"""Heat: gradient times activation at the maps of a network, and how maps of several sizes become one.

ODAM: Zhao and Chan, https://arxiv.org/abs/2304.06354. Unlike Grad-CAM, which averages gradients over the map and so
spreads to all objects of a label, it weights each place by the gradient there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from explain.request.parameter_types import Interpolation

_REACH = 2  # cells on each side that smoothing takes in
_SIGMA = 1.0  # of smoothing, in cells: gradients of neighbouring cells alternate

Heat = tuple[Tensor, tuple[float, float, float, float]]  # [h, w], and the box in pixels that it covers


def heat(activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the maps [K, h, w], each weighted with its smoothed gradient [K, h, w]; below 0 becomes 0: [h, w]."""
    return (_smoothed(gradients) * activations).sum(0).clamp_min(0)


def joined(parts: Sequence[Heat], size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    """Join heat of several maps in one of `size` (height, width), in [0, 1].

    Each is divided by its maximum, since gradients differ in scale between maps, and enlarged; of several the largest
    value counts.
    """
    result = torch.zeros(size)
    for values, box in parts:
        highest = float(values.max())
        if highest > 0:
            result = torch.maximum(result, _placed(values / highest, box, size, interpolation))
    return result


def _smoothed(gradients: Tensor) -> Tensor:
    places = torch.arange(-_REACH, _REACH + 1, device=gradients.device)
    weights = torch.exp(-(places**2) / (2 * _SIGMA**2)).to(gradients.dtype)
    weights = weights / weights.sum()
    rows = functional.conv2d(gradients[:, None], weights.view(1, 1, -1, 1), padding=(_REACH, 0))
    return functional.conv2d(rows, weights.view(1, 1, 1, -1), padding=(0, _REACH))[:, 0]


def _placed(
    values: Tensor, box: tuple[float, float, float, float], size: tuple[int, int], interpolation: Interpolation
) -> Tensor:
    """Enlarge values [h, w] to their box in an image of `size`; elsewhere it is 0."""
    left, top, right, bottom = box
    across = (torch.arange(size[1]) + 0.5 - left) / (right - left) * 2 - 1
    down = (torch.arange(size[0]) + 0.5 - top) / (bottom - top) * 2 - 1
    grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1)
    enlarged = functional.grid_sample(
        values[None, None].float(), grid[None], mode=interpolation, padding_mode="border", align_corners=False
    )
    inside = (across.abs() <= 1) & (down.abs() <= 1)[:, None]
    return enlarged[0, 0] * inside
