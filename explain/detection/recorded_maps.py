"""The maps of a transformer's backbone, recorded on the way, so that everything after them can be differentiated."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from explain.detection.family import MapPart
from explain.errors import ExplanationError
from explain.network.cam import with_recorded_layers
from models.architecture.cam_layer import CamLayer
from models.detection.adapter import DetectorInput

# layers of the networks of transformers that hand the maps of a backbone to what finds objects, and to what draws masks
_PROJECTION = re.compile(r"(?:.*\.)?(?:input_projection|(?:encoder_)?input_proj\.\d+|input_projections\.\d+)")
_MASKS = re.compile(r".*\.pixel_level_module\.decoder\.mask_projection")
# of a network that is one transformer: before the attention of its last block, tokens still belong to places
_LAST_BLOCK = re.compile(r".*\.encoder\.layer\.\d+\.layernorm_before")
_FIRST_PATCH = 1  # after the class token


def recorded_maps(network: nn.Module, batch: Tensor, source: DetectorInput) -> tuple[Sequence[Tensor], list[MapPart]]:
    """Run a batch of one input; returns the outputs, and the maps that they depend on, which need gradients.

    Raises ExplanationError, code `algorithm_unsupported`, where the network has no such maps.
    """
    layers, arranged = _layers(network, source)
    recording, recorded = with_recorded_layers(network, layers)
    with torch.set_grad_enabled(False):
        outputs: Sequence[Tensor] = recording(batch)
    height, width = source.padded
    return outputs, [MapPart(one.features(), (0, 0, width, height), arranged) for one in recorded]


def _layers(network: Any, source: DetectorInput) -> tuple[list[CamLayer], Callable[[Tensor], Tensor]]:
    """Return the layers to record, and what arranges what they make as maps [K, h, w]."""
    names = [name for name, _ in network.named_modules()]
    if projections := [CamLayer(name) for name in names if _PROJECTION.fullmatch(name)]:
        masks = [CamLayer(name, side="input") for name in names if _MASKS.fullmatch(name)]
        return projections + masks, _first
    if blocks := [name for name in names if _LAST_BLOCK.fullmatch(name)]:
        side = network.network.config.patch_size
        return [CamLayer(blocks[-1])], partial(_tokens, size=(source.padded[0] // side, source.padded[1] // side))
    raise ExplanationError(
        "algorithm_unsupported",
        f"{type(network.network).__name__} has no layer that is known to hold the maps of its backbone. Use drise.",
    )


def _first(features: Tensor) -> Tensor:
    return features[0]


def _tokens(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Arrange the tokens of patches, among [1, T, K], as maps of `size`."""
    patches = features[0, _FIRST_PATCH : _FIRST_PATCH + size[0] * size[1]]
    return patches.T.reshape(-1, *size)
