"""SE-ResNeXt-50 32x4d (Hu et al., https://arxiv.org/abs/1709.01507), head `last_linear`.

Checkpoints come from pretrainedmodels' `se_resnext50_32x4d`; timm's `legacy_seresnext50_32x4d` has the same keys.
"""

from torch import nn

from models.architecture.architecture import ClassifierArchitecture, Family
from models.architecture.cam_layer import last_block_of_layer4


def _architecture(name: str) -> ClassifierArchitecture:
    return ClassifierArchitecture(
        name,
        build=lambda classes, settings: _build(classes),
        cam_layer=last_block_of_layer4,
        # training never passes the configured sizes on to this network
        fixed={"valid_resize_size": 256, "valid_crop_size": 224, "train_crop_size": 224},
    )


def _build(classes: int) -> nn.Module:
    import timm

    network: nn.Module = timm.create_model("legacy_seresnext50_32x4d", num_classes=classes)
    return network


FAMILY = Family(("seresnext",), _architecture)
