"""Class activation maps: how the activations of a layer are recorded, and how they become a heat map.

Grad-CAM (Selvaraju et al., https://arxiv.org/abs/1610.02391) needs a layer's activations and their gradients. The
shared network is not touched: each pass runs a copy of the modules on the way to the layer, which shares all weights
and has a recording layer in the layer's place.
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


class RecordedLayer(nn.Module):
    """Runs a layer and keeps its input or output, as `side` says.

    If it is not `attached`, autograd starts here: what comes before the layer needs no gradients and stores none.
    If it is, gradients flow through to the network's inputs.
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

    def features(self) -> Tensor:
        """Return what the forward pass recorded; ExplanationError, code `algorithm_unsupported`, if it did not run."""
        if self._features is None:
            raise ExplanationError(
                "algorithm_unsupported",
                f"The network does not call its {type(self.layer).__name__} as a module, so Grad-CAM cannot read it. "
                "Use xrai or integrated_gradients.",
            )
        return self._features

    def _keep(self, features: Tensor) -> Tensor:
        if not self._attached:
            torch.set_grad_enabled(True)  # for the layers that follow: see `with_recorded_layer`
            features = features.detach().requires_grad_()
        self._features = features
        return features.clone()  # the network may go on in place


def with_recorded_layer(network: nn.Module, layer: CamLayer, *, attached: bool) -> tuple[nn.Module, RecordedLayer]:
    """Return a network that shares everything with `network` but the way to `layer`, and the recorded layer in it.

    Run it within `torch.set_grad_enabled(False)` if it is not attached: the recorded layer turns gradients on for the
    layers that follow it, and leaving that block restores the mode.
    """
    recorded = RecordedLayer(network.get_submodule(layer.name), layer.side, attached=attached)
    return _with_replaced(network, layer.name.split("."), recorded), recorded


def _with_replaced(module: nn.Module, path: list[str], replacement: nn.Module) -> nn.Module:
    if not path:
        return replacement
    twin = copy.copy(module)  # shallow: the weights are the same tensors
    children = module._modules.copy()
    children[path[0]] = _with_replaced(cast(nn.Module, children[path[0]]), path[1:], replacement)
    twin.__dict__["_modules"] = children
    return twin


def activation_maps(features: Tensor, layer: CamLayer) -> Tensor:
    """Arrange the features of a layer as maps, [N, K, h, w].

    Raises ExplanationError, code `algorithm_unsupported`, where they do not form a grid.
    """
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
    """Sum the maps [K, h, w], each weighted with the mean of its gradient [K, h, w]; below 0 becomes 0: [h, w]."""
    return (gradients.mean((1, 2), keepdim=True) * activations).sum(0).clamp_min(0)


def empty_note(heat: Tensor) -> tuple[str, ...]:
    """Return a note if a heat map is 0 everywhere."""
    return () if heat.any() else ("No place in the picture speaks for this target.",)


def resized(heat: Tensor, height: int, width: int, interpolation: Interpolation) -> Tensor:
    """Resize a heat map [h, w] to [height, width]."""
    return functional.interpolate(heat[None, None], size=(height, width), mode=interpolation)[0, 0]
