"""Folding: batch norms that no longer learn become part of the convolutions before them, which saves time."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.ops import FrozenBatchNorm2d


def fold(network: nn.Module) -> None:
    """Fold each batch norm that is registered right after a convolution into it, in evaluation mode.

    For networks that apply their layers in the order of registration. Outputs stay the same up to rounding.
    """
    for parent in network.modules():
        for (_, before), (name, norm) in pairwise(list(parent.named_children())):
            if isinstance(before, nn.Conv2d) and isinstance(norm, (FrozenBatchNorm2d, nn.BatchNorm2d)):
                mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
                before.weight, before.bias = fuse_conv_bn_weights(
                    before.weight, before.bias, mean, variance, norm.eps, norm.weight, norm.bias
                )
                setattr(parent, name, nn.Identity())
