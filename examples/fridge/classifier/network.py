"""A resnet18 that learns in few steps: it starts with edge filters, and auxiliary heads learn where the objects are."""

import math
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

ARCHITECTURE = "resnet18"


class ResnetWithAuxiliaryHeads(nn.Module):
    """A resnet18 that, while it trains, also predicts the class of each part of an image.

    The auxiliary heads are 1x1 convolutions on two inner feature maps, 8 and 16 pixels a cell. They are dropped after
    training; what they leave behind is that the inner maps tell objects from the background and from each other.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.network: Any = torchvision.models.resnet18(weights=None, num_classes=labels)
        self.heads = nn.ModuleList([nn.Conv2d(channels, labels + 1, 1) for channels in (128, 256)])
        with torch.no_grad():
            self.network.conv1.weight.copy_(_oriented_filters(self.network.conv1.weight))

    def forward(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map [N, 3, H, W] to logits [N, labels] and, per head, logits [N, labels + 1, h, w]; background last."""
        net = self.network
        low = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(inputs)))))
        inner = net.layer2(low)
        outer = net.layer3(inner)
        pooled = net.layer4(outer).mean((2, 3))
        return net.fc(pooled), [head(features) for head, features in zip(self.heads, (inner, outer), strict=True)]


def training_loss(outputs: tuple[Tensor, list[Tensor]], labels: Tensor, class_maps: Tensor) -> Tensor:
    """Return the loss, a scalar: on the label of each image, and on the class of each of its parts.

    labels: int64 [N]. class_maps: int64 [N, h, w], at least as fine as the maps of the heads, the background last.
    """
    logits, maps = outputs
    # Smoothed labels keep the probabilities of easy images below 1, as a calibrated model's are.
    loss = functional.cross_entropy(logits.float(), labels, label_smoothing=0.05)
    for part_logits in maps:
        one_hot = functional.one_hot(class_maps, part_logits.shape[1]).movedim(3, 1).float()
        shares = functional.adaptive_avg_pool2d(one_hot, (part_logits.shape[-2], part_logits.shape[-1]))
        loss = loss - (shares * part_logits.float().log_softmax(1)).sum(1).mean()
    return loss


def _oriented_filters(like: Tensor) -> Tensor:
    """Return edge and line filters of the shape [64, 3, 7, 7], as large as `like` on average.

    Eight directions by eight kinds: even and odd ones in three widths that ignore colour, and two that do not.
    """
    colours = torch.Generator().manual_seed(1)
    steps = torch.arange(like.shape[-1]) - (like.shape[-1] - 1) / 2
    down, right = torch.meshgrid(steps, steps, indexing="ij")
    filters = []
    for index in range(len(like)):
        kind, angle = index // 8, math.pi * (index % 8) / 8
        width = (1.0, 1.5, 2.2)[kind % 3]
        across = right * math.cos(angle) + down * math.sin(angle)
        along = down * math.cos(angle) - right * math.sin(angle)
        wave = (across * 1.6 / width).sin() if kind % 2 == 0 else (across * 2.0 / width).cos()
        shape = wave * (-(across**2 + 0.5 * along**2) / (2 * width**2)).exp()
        shape = shape - shape.mean()
        colour = torch.ones(3) if kind < 6 else torch.randn(3, generator=colours)
        filters.append((colour / colour.norm())[:, None, None] * (shape / shape.norm()))
    scaled: Tensor = torch.stack(filters) * like.flatten(1).norm(dim=1).mean()
    return scaled
