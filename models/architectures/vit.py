"""Vision transformers (Dosovitskiy et al., https://arxiv.org/abs/2010.11929) in timm's form, patches of 16 pixels.

The network is built for the crop; the position embedding of a checkpoint for another crop is interpolated.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from models.architecture.architecture import ClassifierArchitecture, Family, State
from models.architecture.attention_grid import AttentionGrid
from models.architecture.cam_layer import CamLayer
from models.errors import ModelError

_PATCH = 16

_TIMM_NAMES = {
    "vits16r224": "vit_small_patch16_224",
    "vitb16r224": "vit_base_patch16_224",
    "vitl16r224": "vit_large_patch16_224",
}


def _architecture(name: str) -> ClassifierArchitecture:
    return ClassifierArchitecture(
        name,
        build=lambda classes, settings: _build(name, classes, settings.valid_crop_size),
        cam_layer=_last_block,
        attention=lambda network: AttentionGrid(prefix_tokens=1),
        adapt=_fit_position_embedding,
    )


def _build(name: str, classes: int, crop: int) -> nn.Module:
    if crop < _PATCH:
        raise ModelError(
            f"valid_crop_size is {crop}, which is smaller than one patch of {name}. Set at least {_PATCH}."
        )
    import timm

    network: nn.Module = timm.create_model(_TIMM_NAMES[name], num_classes=classes, img_size=crop)
    return network


def _last_block(network: nn.Module) -> CamLayer:
    # after the last block only the class token reaches the head, so its patch tokens have no gradient
    blocks = network.get_submodule("blocks")
    return CamLayer(f"blocks.{len(list(blocks.children())) - 1}", side="input", prefix_tokens=1)


def _fit_position_embedding(network: nn.Module, state: State) -> State:
    given, wanted = state.get("pos_embed"), network.get_parameter("pos_embed")
    if given is None or given.dim() != 3 or given.shape[1] == wanted.shape[1]:
        return state
    old, new = math.isqrt(given.shape[1] - 1), math.isqrt(wanted.shape[1] - 1)
    if old**2 != given.shape[1] - 1:
        return state  # no square of patches after a class token; building reports the shape
    grid = given[:, 1:].float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    # bilinear, as in the version of timm that trained these checkpoints; newer versions use another filter
    grid = functional.interpolate(grid, size=(new, new), mode="bilinear")
    return state | {"pos_embed": torch.cat([given[:, :1].float(), grid.flatten(2).transpose(1, 2)], dim=1)}


FAMILY = Family(tuple(_TIMM_NAMES), _architecture)
