"""MobileNetV2 (Sandler et al., https://arxiv.org/abs/1801.04381) in torchvision's form, head `classifier.1`."""

from torchvision.models import mobilenet_v2

from models.architecture.architecture import ClassifierArchitecture, Family
from models.architecture.cam_layer import CamLayer


def _architecture(name: str) -> ClassifierArchitecture:
    return ClassifierArchitecture(
        name,
        build=lambda classes, settings: mobilenet_v2(weights=None, num_classes=classes),
        cam_layer=lambda network: CamLayer("features.18"),
    )


FAMILY = Family(("mobilenetv2",), _architecture)
