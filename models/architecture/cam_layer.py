"""CamLayer: where Grad-CAM reads a network, and the rules that find this layer, and earlier ones, in most networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
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


_MOST_LAYERS = 4  # of one network: maps finer than a quarter of the image show edges
_STRIDED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def earlier_cam_layers(network: nn.Module, last: CamLayer) -> tuple[CamLayer, ...]:
    """Return up to three layers before `last`, the deepest one of each earlier resolution, from fine to coarse.

    These are the modules before each one that makes maps smaller, in the longest chain of such modules: the stages of a
    residual network, or the blocks of one that is a sequence of them. A transformer has none.
    """
    if last.prefix_tokens is not None:
        return ()
    chains = [_before_each_smaller(name, chain) for name, chain in network.named_modules() if _is_chain(name, chain)]
    before = takewhile(lambda name: name != last.name, (name for name, _ in network.named_modules()))
    earlier = {name for name in before if not f"{last.name}.".startswith(f"{name}.")}
    names = [name for name in max(chains, key=len) if name in earlier]
    return tuple(CamLayer(name) for name in names[1 - _MOST_LAYERS :])


def _is_chain(name: str, module: nn.Module) -> bool:
    """Whether the children of a module run one after the other: those of a sequence, and by custom of a network."""
    return not name or isinstance(module, (nn.Sequential, nn.ModuleList))


def _before_each_smaller(name: str, chain: nn.Module) -> Sequence[str]:
    """List the children of a chain, by their dotted names, whose next one makes maps smaller."""
    pairs = pairwise(chain.named_children())
    return [
        f"{name}.{before}".lstrip(".")
        for (before, child), (_, next_) in pairs
        if _makes_smaller(next_) and type(child).forward is not nn.Module.forward  # a ModuleList is never called
    ]


def _makes_smaller(module: nn.Module) -> bool:
    return any(isinstance(each, _STRIDED) and _stride(each) > 1 for each in module.modules())


def _stride(module: nn.Module) -> int:
    stride = module.stride
    return max(stride) if isinstance(stride, tuple) else int(stride)  # type: ignore[arg-type]
