"""ResNeSt (Zhang et al., https://arxiv.org/abs/2004.08955).

Checkpoints come from the authors' package; timm's `resnest50d` and `resnest101e` have the same keys and outputs.
"""

from torch import nn

from models.architecture.architecture import ClassifierArchitecture, Family
from models.architecture.cam_layer import last_block_of_layer4

_TIMM_NAMES = {"resnest50": "resnest50d", "resnest101": "resnest101e"}


def _architecture(name: str) -> ClassifierArchitecture:
    return ClassifierArchitecture(
        name, build=lambda classes, settings: _build(name, classes), cam_layer=last_block_of_layer4
    )


def _build(name: str, classes: int) -> nn.Module:
    import timm  # takes a second to import, which other folders leave out

    network: nn.Module = timm.create_model(_TIMM_NAMES[name], num_classes=classes)
    return network


FAMILY = Family(tuple(_TIMM_NAMES), _architecture)
