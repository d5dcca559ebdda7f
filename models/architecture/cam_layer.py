"""CamLayer: where Grad-CAM reads a network, and the rules that find this layer in most networks."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class CamLayer:
    """The layer that Grad-CAM reads.

    `name` is the module's dotted name; `side` says whether its input or its output is weighted. `prefix_tokens` is None
    for maps [N, C, H, W]; for token sequences [N, T, C] it is the number of tokens before the square grid of patches.
    """

    name: str
    side: Literal["input", "output"] = "output"
    prefix_tokens: int | None = None


def last_block_of_layer4(network: nn.Module) -> CamLayer:
    """Return the last residual block, the deepest map of networks with the stages `layer1` to `layer4`."""
    return CamLayer(f"layer4.{len(list(network.get_submodule('layer4').children())) - 1}")


def last_convolution(network: nn.Module) -> CamLayer:
    """Return the last convolution, the deepest map of a network without a rule of its own.

    ModelError where there is none after the first layer, as in a transformer.
    """
    convolutions = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    if len(convolutions) < 2:
        raise ModelError(f"{type(network).__name__} has no deep convolution, so Grad-CAM has no layer to read.")
    return CamLayer(convolutions[-1])
