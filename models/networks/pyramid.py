"""What the detectors of torchvision share: a feature pyramid on a ResNet, and the names of its tensors.

Feature pyramid networks: Lin et al., https://arxiv.org/abs/1612.03144.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock

from models.architecture.architecture import State

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")

# names of torchvision before 0.13, where a single convolution stood in place of a block
_OLD_NAMES: Sequence[tuple[str, Callable[["re.Match[str]"], str]]] = (
    (r"(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)", lambda m: f"{m[1]}.0.{m[2]}"),
    (r"rpn\.head\.conv\.(weight|bias)", lambda m: f"rpn.head.conv.0.0.{m[1]}"),
    (r"roi_heads\.mask_head\.mask_fcn(\d)\.(weight|bias)", lambda m: f"roi_heads.mask_head.{int(m[1]) - 1}.0.{m[2]}"),
    (r"(head\.\w+_head\.conv)\.(\d)\.(weight|bias)", lambda m: f"{m[1]}.{int(m[2]) // 2}.0.{m[3]}"),
)


def pyramid(resnet: str, layers: Sequence[int], extra: ExtraFPNBlock | None = None) -> BackboneWithFPN:
    """Build a feature pyramid on the given stages of a ResNet, with frozen batch norms."""
    return resnet_fpn_backbone(
        backbone_name=resnet,
        weights=None,
        norm_layer=FrozenBatchNorm2d,
        returned_layers=list(layers),
        extra_blocks=extra,
        trainable_layers=5,
    )


def on_cpu(build: Callable[[], Any]) -> nn.Module:
    """Build a network whose constructor computes values outside its state dict, such as anchors."""
    with torch.device("cpu"):
        network: nn.Module = build()
    return network


def renamed(network: nn.Module, state: State) -> State:
    """Return a state dict of any version of torchvision with the names of the network."""
    wanted = network.state_dict().keys()
    return {
        (name if name in wanted else _current_name(name)): tensor
        for name, tensor in state.items()
        # frozen batch norms have no step counters
        if name in wanted or not name.endswith("num_batches_tracked")
    }


def _current_name(name: str) -> str:
    for pattern, new in _OLD_NAMES:
        if match := re.fullmatch(pattern, name):
            return new(match)
    return name
