"""The network of yolov5 in its form of 2020 (release 3), with the tensor names that AutoML for Images saves.

Written from the published description: a backbone of cross stage partial bottlenecks that starts with a space-to-depth
slice, a path aggregation neck (Liu et al., https://arxiv.org/abs/1803.01534) and three grids of anchors.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.networks.csp_blocks import SPP, BottleneckCSP, Conv, Focus
from settings.model import YoloSettings

STRIDES = (8, 16, 32)
ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
# The Identity layers concatenate the layer before them with this one; and the layers that feed the head
_CONCATENATED = {12: 6, 16: 4, 19: 14, 22: 10}
_STAGES = (4, 6, 9)  # the layers whose maps the neck takes; the last one ends the backbone
_HEAD_INPUTS = (17, 20, 23)


@dataclass(frozen=True, slots=True)
class Size:
    """Depth and width of a network relative to the large one."""

    depth: float
    width: float

    def channels(self, large: int) -> int:
        """Scale a number of channels of the large network; rounded up to a multiple of 8."""
        return -int(-large * self.width // 8) * 8

    def repeats(self, large: int) -> int:
        """Scale the number of times that a block of the large network is repeated."""
        return max(1, round(large * self.depth))


SIZES = {"s": Size(0.33, 0.50), "m": Size(0.67, 0.75), "l": Size(1.0, 1.0), "x": Size(1.33, 1.25)}


class Detect(nn.Module):
    """Boxes, objectness and class scores of three anchors at each place of three grids.

    `anchors`, float32 [3, 3, 2], are widths and heights in cells; `anchor_grid` is the same in pixels, shaped for
    multiplication. A checkpoint brings its own.
    """

    anchors: Tensor
    anchor_grid: Tensor

    def __init__(self, classes: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.outputs = classes + 5
        pixels = torch.tensor(ANCHORS, dtype=torch.float32)
        self.register_buffer("anchors", pixels / torch.tensor(STRIDES).view(-1, 1, 1))
        self.register_buffer("anchor_grid", pixels.view(3, 1, 3, 1, 1, 2))
        self.m = nn.ModuleList(nn.Conv2d(count, 3 * self.outputs, 1) for count in channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map three grids to raw values, [N, 3, h, w, classes + 5] each, in float32 also under autocast.

        Small types tell too few places and probabilities apart.
        """
        grids = []
        for convolution, x in zip(self.m, maps, strict=True):
            small = x.dtype != self.anchors.dtype
            with torch.autocast(x.device.type, enabled=False) if small else nullcontext():
                raw: Tensor = convolution(x.to(self.anchors.dtype))
            number, _, height, width = raw.shape
            grids.append(raw.view(number, 3, self.outputs, height, width).permute(0, 1, 3, 4, 2))
        return grids

    def decode(self, grids: Sequence[Tensor]) -> Tensor:
        """Turn raw values into [N, boxes, classes + 5].

        For each box: x and y of its centre, width and height in pixels of the input; then objectness and the score of
        each class in [0, 1].
        """
        decoded = []
        for level, raw in enumerate(grids):
            number, _, height, width, _ = raw.shape
            values = raw.sigmoid()
            rows, columns = (torch.arange(length, device=raw.device) for length in (height, width))
            y, x = torch.meshgrid(rows, columns, indexing="ij")
            centres = (values[..., :2] * 2 - 0.5 + torch.stack([x, y], -1)) * STRIDES[level]
            sizes = (values[..., 2:4] * 2) ** 2 * self.anchor_grid[level]
            decoded.append(torch.cat([centres, sizes, values[..., 4:]], -1).view(number, -1, self.outputs))
        return torch.cat(decoded, 1)


class YoloV5(nn.Sequential):
    """The network: [N, 3, H, W] in [0, 1], sides multiples of 32, to the three grids of `Detect`."""

    def __init__(self, classes: int, size: Size) -> None:
        c, n = size.channels, size.repeats
        super().__init__(
            Focus(3, c(64), 3),
            Conv(c(64), c(128), 3, 2),
            BottleneckCSP(c(128), c(128), n(3)),
            Conv(c(128), c(256), 3, 2),
            BottleneckCSP(c(256), c(256), n(9)),
            Conv(c(256), c(512), 3, 2),
            BottleneckCSP(c(512), c(512), n(9)),
            Conv(c(512), c(1024), 3, 2),
            SPP(c(1024), c(1024)),
            BottleneckCSP(c(1024), c(1024), n(3), shortcut=False),
            Conv(c(1024), c(512)),
            nn.Upsample(scale_factor=2),
            nn.Identity(),
            BottleneckCSP(c(1024), c(512), n(3), shortcut=False),
            Conv(c(512), c(256)),
            nn.Upsample(scale_factor=2),
            nn.Identity(),
            BottleneckCSP(c(512), c(256), n(3), shortcut=False),
            Conv(c(256), c(256), 3, 2),
            nn.Identity(),
            BottleneckCSP(c(512), c(512), n(3), shortcut=False),
            Conv(c(512), c(512), 3, 2),
            nn.Identity(),
            BottleneckCSP(c(1024), c(1024), n(3), shortcut=False),
            Detect(classes, (c(256), c(512), c(1024))),
        )

    @property
    def head(self) -> Detect:
        """The last layer, which also decodes."""
        last = self[-1]
        assert isinstance(last, Detect)
        return last

    def forward(self, x: Tensor) -> list[Tensor]:
        """Run all layers."""
        grids: list[Tensor] = self.head(self.maps(x))
        return grids

    def maps(self, x: Tensor) -> list[Tensor]:
        """Run the layers before the head: three maps, with strides of 8, 16 and 32 pixels."""
        return self.neck(self.stages(x))

    def stages(self, x: Tensor) -> list[Tensor]:
        """Run the backbone: three maps, with strides of 8, 16 and 32 pixels."""
        kept = []
        for number, layer in enumerate(list(self)[: _STAGES[-1] + 1]):
            x = layer(x)
            if number in _STAGES:
                kept.append(x)
        return kept

    def neck(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """Run the layers between the maps of the backbone and the head."""
        kept, x = dict(zip(_STAGES, stages, strict=True)), stages[-1]
        for number, layer in enumerate(list(self)[_STAGES[-1] + 1 : -1], _STAGES[-1] + 1):
            x = torch.cat([x, kept.pop(_CONCATENATED[number])], 1) if number in _CONCATENATED else layer(x)
            if number in _CONCATENATED.values() or number in _HEAD_INPUTS:
                kept[number] = x
        return [kept[number] for number in _HEAD_INPUTS]


def build_yolov5(classes: int, settings: YoloSettings) -> YoloV5:
    """Build the network of `settings.model_size` with any weights; `classes` do not include a background."""
    letter = "x" if settings.model_size == "extra_large" else settings.model_size[0]
    return YoloV5(classes, SIZES[letter])
