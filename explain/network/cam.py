"""Class activation maps: where a network is split to read them, and how they become a heat map.

Grad-CAM (Selvaraju et al., https://arxiv.org/abs/1610.02391) needs a layer's activations and their gradients. The
shared network is not touched: a copy of the modules on the way to the layer, made for one pass and sharing all weights,
has a tap in its place.
"""

import copy
import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from explain.errors import ExplanationError
from explain.request.parameter_types import Interpolation
from models.architecture.cam_layer import CamLayer


class Tap(nn.Module):
    """Stands in for a layer and keeps what passes one of its sides.

    Detached, what comes before the layer needs no gradients and stores none: autograd starts here. Attached, gradients
    flow through to the inputs.
    """

    def __init__(self, layer: nn.Module, side: str, *, attached: bool) -> None:
        super().__init__()
        self.layer = layer
        self._features: Tensor | None = None
        self._side = side
        self._attached = attached

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the layer."""
        if self._side == "input":
            return self.layer(self._keep(args[0]), *args[1:], **kwargs)
        return self._keep(self.layer(*args, **kwargs))

    def kept(self) -> Tensor:
        """Return what passed in the one forward pass; ExplanationError where nothing did."""
        if self._features is None:
            raise ExplanationError(
                "algorithm_unsupported",
                f"The network does not call its {type(self.layer).__name__} as a module, so Grad-CAM cannot read it. "
                "Use xrai or integrated_gradients.",
            )
        return self._features

    def _keep(self, features: Tensor) -> Tensor:
        if not self._attached:
            torch.set_grad_enabled(True)  # for what follows: see `tapped`
            features = features.detach().requires_grad_()
        self._features = features
        return features.clone()  # the network may go on in place


def tapped(network: nn.Module, layer: CamLayer, *, attached: bool) -> tuple[nn.Module, Tap]:
    """Return a network that shares everything with `network` but the way to `layer`, and the tap in it.

    Run a detached one within `torch.set_grad_enabled(False)`: the tap turns gradients on for what follows it, and
    leaving that block restores the mode.
    """
    tap = Tap(network.get_submodule(layer.name), layer.side, attached=attached)
    return _replaced(network, layer.name.split("."), tap), tap


def _replaced(module: nn.Module, path: list[str], replacement: nn.Module) -> nn.Module:
    if not path:
        return replacement
    twin = copy.copy(module)  # shallow: the weights are the same tensors
    children = module._modules.copy()
    children[path[0]] = _replaced(cast(nn.Module, children[path[0]]), path[1:], replacement)
    twin.__dict__["_modules"] = children
    return twin


def maps(features: Tensor, layer: CamLayer) -> Tensor:
    """Bring what a layer passes into the form of maps, [N, K, h, w]; ExplanationError where it has none."""
    if layer.prefix_tokens is None:
        if features.dim() == 4:
            return features
    elif features.dim() == 3:
        patches = features[:, layer.prefix_tokens :]
        side = math.isqrt(patches.shape[1])
        if side**2 == patches.shape[1]:
            return patches.transpose(1, 2).reshape(len(patches), -1, side, side)
    raise ExplanationError(
        "algorithm_unsupported",
        f"The layer {layer.name} makes {tuple(features.shape[1:])} of each picture, which is no grid of places, so "
        "Grad-CAM cannot read it. Use xrai or integrated_gradients.",
    )


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each map [K, h, w] with the mean of its gradient [K, h, w], and keep what speaks for the target: [h, w]."""
    return (gradients.mean((1, 2), keepdim=True) * activations).sum(0).clamp_min(0)


def silence(heat: Tensor) -> tuple[str, ...]:
    """Say so where a heat map is empty."""
    return () if heat.any() else ("No place in the picture speaks for this target.",)


def enlarged(heat: Tensor, height: int, width: int, interpolation: Interpolation) -> Tensor:
    """Bring a heat map [h, w] to [height, width], `bilinear` or `nearest`."""
    return functional.interpolate(heat[None, None], size=(height, width), mode=interpolation)[0, 0]
