"""A thin yolov5 with seeded weights."""

import torch
from torch import nn

from models.networks.yolov5 import Size, YoloV5

THIN = Size(0.33, 0.125)


def seeded_yolov5(size: Size = THIN, classes: int = 4, seed: int = 0) -> YoloV5:
    """Return a network in evaluation mode whose boxes differ from place to place and from image to image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = YoloV5(classes, size).eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.normal_(module.bias)
    return network.requires_grad_(False)
