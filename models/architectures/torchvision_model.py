"""Any classification network of torchvision, as `torchvision/NAME`, for weights saved with that library."""

from torchvision import models as zoo

from models.architecture.architecture import ClassifierArchitecture, Family
from models.architecture.cam_layer import last_convolution
from models.errors import ModelError
from settings.expectation import did_you_mean

PREFIX = "torchvision/"


def _architecture(name: str) -> ClassifierArchitecture:
    known = zoo.list_models(module=zoo)
    bare = name.removeprefix(PREFIX)
    if bare not in known:
        raise ModelError(f"torchvision has no classification network {bare!r}.{did_you_mean(bare, known)}")
    return ClassifierArchitecture(
        name,
        build=lambda classes, settings: zoo.get_model(bare, weights=None, num_classes=classes),
        cam_layer=last_convolution,
    )


FAMILY = Family((PREFIX + "*",), _architecture)
