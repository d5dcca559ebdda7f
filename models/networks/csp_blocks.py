"""The building blocks of yolov5's backbone and neck, with the parameter names of its release of 2020.

Cross stage partial bottlenecks (Wang et al., https://arxiv.org/abs/1911.11929), spatial pyramid pooling (He et al.,
https://arxiv.org/abs/1406.4729) and hard swish (Howard et al., https://arxiv.org/abs/1905.02244).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_EPS, _MOMENTUM = 1e-3, 0.03  # of batch norms in that release


class Conv(nn.Module):
    """Convolution, batch norm, hard swish."""

    def __init__(self, before: int, after: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=_EPS, momentum=_MOMENTUM)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, H, W] to [N, after, H / stride, W / stride]."""
        outputs: Tensor = self.act(self.bn(self.conv(x)))
        return outputs


class Focus(nn.Module):
    """Stacks the four pixels of each 2x2 square as channels, then convolves."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        self.conv = Conv(4 * before, after, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, H, W] to [N, after, H / 2, W / 2]."""
        corners = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        outputs: Tensor = self.conv(torch.cat(corners, 1))
        return outputs


class Bottleneck(nn.Module):
    """Two convolutions, with or without a shortcut."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1 = Conv(channels, channels)
        self.cv2 = Conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, channels, H, W] to the same."""
        outputs: Tensor = self.cv2(self.cv1(x))
        return x + outputs if self.shortcut else outputs


class BottleneckCSP(nn.Module):
    """Half of the channels go through bottlenecks, the other half around them."""

    def __init__(self, before: int, after: int, repeats: int, shortcut: bool = True) -> None:
        super().__init__()
        half = after // 2
        self.cv1 = Conv(before, half)
        self.cv2 = nn.Conv2d(before, half, 1, bias=False)
        self.cv3 = nn.Conv2d(half, half, 1, bias=False)
        self.cv4 = Conv(2 * half, after)
        self.bn = nn.BatchNorm2d(2 * half, eps=_EPS, momentum=_MOMENTUM)
        self.act = nn.LeakyReLU(0.1)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, H, W] to [N, after, H, W]."""
        through, around = self.cv3(self.m(self.cv1(x))), self.cv2(x)
        outputs: Tensor = self.cv4(self.act(self.bn(torch.cat([through, around], 1))))
        return outputs


class SPP(nn.Module):
    """Spatial pyramid pooling: describes each place at four scales."""

    def __init__(self, before: int, after: int, kernels: Sequence[int] = (5, 9, 13)) -> None:
        super().__init__()
        half = before // 2
        self.cv1 = Conv(before, half)
        self.cv2 = Conv(half * (len(kernels) + 1), after)
        self.m = nn.ModuleList(nn.MaxPool2d(kernel, 1, kernel // 2) for kernel in kernels)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, before, H, W] to [N, after, H, W]."""
        x = self.cv1(x)
        outputs: Tensor = self.cv2(torch.cat([x, *(pool(x) for pool in self.m)], 1))
        return outputs
