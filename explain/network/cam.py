"""Class activation maps: how the activations of layers are recorded, and how they become a heat map.

Grad-CAM (Selvaraju et al., https://arxiv.org/abs/1610.02391) needs a layer's activations and their gradients, LayerCAM
(Jiang et al., https://doi.org/10.1109/TIP.2021.3089943) those of several layers. The shared network is not touched:
each pass runs a copy of the modules on the way to a layer, which shares all weights and has a recording layer in the
layer's place.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from explain.errors import ExplanationError
from explain.request.parameter_types import Interpolation
from models.architecture.cam_layer import CamLayer


class RecordedLayer(nn.Module):
    """Runs a layer and keeps its input or output, as `side` says.

    If that needs no gradients yet, autograd starts here: what comes before the layer stores nothing for them. If it
    does, gradients flow through to what came before.
    """

    def __init__(self, layer: nn.Module, side: str) -> None:
        super().__init__()
        self.layer = layer
        self._features: Tensor | None = None
        self._side = side

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the layer."""
        if self._side == "input":
            return self.layer(self._keep(args[0]), *args[1:], **kwargs)
        return self._keep(self.layer(*args, **kwargs))

    @property
    def has_maps(self) -> bool:
        """Whether the forward pass recorded square maps of several places, [N, K, h, h], and not [N, h, h, K]."""
        features = self._features
        return features is not None and features.dim() == 4 and features.shape[2] == features.shape[3] > 1

    def features(self) -> Tensor:
        """Return what the forward pass recorded; ExplanationError, code `algorithm_unsupported`, if it did not run."""
        if self._features is None:
            raise ExplanationError(
                "algorithm_unsupported",
                f"The network does not call its {type(self.layer).__name__} as a module, so Grad-CAM cannot read it. "
                "Use xrai or integrated_gradients.",
            )
        return self._features

    def _keep(self, features: Any) -> Any:
        if not isinstance(features, Tensor):
            return features
        if not features.requires_grad:
            torch.set_grad_enabled(True)  # for the layers that follow: see `with_recorded_layers`
            features = features.detach().requires_grad_()
        self._features = features
        return features.clone()  # the network may go on in place


def with_recorded_layers(network: nn.Module, layers: Sequence[CamLayer]) -> tuple[nn.Module, list[RecordedLayer]]:
    """Return a network that shares everything with `network` but the way to `layers`, and the recorded layers in it.

    Run it within `torch.set_grad_enabled(False)` if its inputs need no gradients: the first recorded layer turns
    gradients on for the layers that follow it, and leaving that block restores the mode.
    """
    recorded = []
    for layer in layers:
        recorded.append(RecordedLayer(network.get_submodule(layer.name), layer.side))
        network = _with_replaced(network, layer.name.split("."), recorded[-1])
    return network, recorded


def _with_replaced(module: nn.Module, path: list[str], replacement: nn.Module) -> nn.Module:
    if not path:
        return replacement
    twin = copy.copy(module)  # shallow: the weights are the same tensors
    children = module._modules.copy()
    children[path[0]] = _with_replaced(cast(nn.Module, children[path[0]]), path[1:], replacement)
    twin.__dict__["_modules"] = children
    return twin


class CamReader:
    """Reads the layers of LayerCAM in one forward pass of `network`, inside `with reader` and without gradients.

    That network shares everything with the given one; its first recorded layer turns gradients on.
    """

    from_inputs = False

    def __init__(self, network: nn.Module, layers: Sequence[CamLayer]) -> None:
        self.network, recorded = with_recorded_layers(network, layers)
        self._recorded = list(zip(layers, recorded, strict=True))

    def __enter__(self) -> "CamReader":
        return self

    def __exit__(self, *exception: object) -> None:
        # a layer that makes no maps is left out, as long as another one makes some
        self._recorded = [pair for pair in self._recorded if pair[1].has_maps] or self._recorded[-1:]

    def tensors(self) -> list[Tensor]:
        """Return the features of the layers: what to differentiate the outputs by. Errors are those of `features`."""
        return [recorded.features() for _, recorded in self._recorded]

    def maps(self, row: int, gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the maps, float32 [h, w], of all layers for one row, given the gradients of a target at `tensors`.

        Raises ExplanationError as `activation_maps` does.
        """
        return tuple(
            layer_cam(*(activation_maps(each[row][None].float(), layer)[0] for each in (features.detach(), gradient)))
            for (layer, _), features, gradient in zip(self._recorded, self.tensors(), gradients, strict=True)
        )


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


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the maps [K, h, w], each place weighted with its own gradient where that is above 0: [h, w], at least 0."""
    return (gradients.clamp_min(0) * activations).sum(0).clamp_min(0)


def empty_note(heat: Tensor) -> tuple[str, ...]:
    """Return a note if a heat map is 0 everywhere."""
    return () if heat.any() else ("No place in the picture speaks for this target.",)


def resized(heat: Tensor, height: int, width: int, interpolation: Interpolation) -> Tensor:
    """Resize a heat map [h, w] to [height, width]."""
    return functional.interpolate(heat[None, None], size=(height, width), mode=interpolation)[0, 0]
