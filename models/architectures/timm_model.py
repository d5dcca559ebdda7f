"""Any classification network of timm, as `timm/NAME`, for weights saved with that library.

Sizes, statistics and filter default to those that timm gives for the training of the network.
"""

from typing import Any

from torch import nn

from models.architecture.architecture import ClassifierArchitecture, Family
from models.architecture.attention_grid import AttentionGrid, no_attention
from models.architecture.cam_layer import last_convolution
from models.errors import ModelError
from models.folder.timm_config import sizes_of, statistics_of
from settings.expectation import did_you_mean

PREFIX = "timm/"
# the classes of networks whose tokens attend to all others, ViT and DeiT among them, or in shifted windows
_GLOBAL = frozenset({"VisionTransformer", "VisionTransformerDistilled", "Beit", "Eva"})
_WINDOWS = frozenset({"SwinTransformer", "SwinTransformerV2", "SwinTransformerV2Cr"})


def _architecture(name: str) -> ClassifierArchitecture:
    import timm

    bare = name.removeprefix(PREFIX)
    if not timm.is_model(bare):
        near = did_you_mean(bare.split(".")[0], timm.list_models())
        raise ModelError(f"timm has no network {bare!r}.{near}")
    try:
        config: Any = timm.get_pretrained_cfg(bare, allow_unregistered=True)
    except RuntimeError as error:  # an unknown tag after the dot
        raise ModelError(f"timm has no network {bare!r}: {error} Leave the tag out or correct it.") from None
    return ClassifierArchitecture(
        name,
        build=lambda classes, settings: _build(bare, classes),
        cam_layer=last_convolution,
        attention=_attention,
        defaults=sizes_of(config.to_dict()),
        statistics=statistics_of(config.to_dict()),
    )


def _build(bare: str, classes: int) -> nn.Module:
    import timm

    network: nn.Module = timm.create_model(bare, num_classes=classes)
    return network


def _attention(network: nn.Module) -> AttentionGrid:
    kind = type(network).__name__
    if kind in _GLOBAL:
        return AttentionGrid(int(network.num_prefix_tokens))  # type: ignore[arg-type]
    return AttentionGrid(None) if kind in _WINDOWS else no_attention(network)


FAMILY = Family((PREFIX + "*",), _architecture)
