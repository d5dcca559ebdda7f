"""ResNet (He et al., https://arxiv.org/abs/1512.03385) in torchvision's form: keys `conv1.weight` ... `fc.bias`."""

from torchvision.models import get_model

from models.architecture.architecture import ClassifierArchitecture, Family
from models.architecture.cam_layer import last_block_of_layer4


def _architecture(name: str) -> ClassifierArchitecture:
    return ClassifierArchitecture(
        name,
        build=lambda classes, settings: get_model(name, weights=None, num_classes=classes),
        cam_layer=last_block_of_layer4,
    )


FAMILY = Family(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), _architecture)
