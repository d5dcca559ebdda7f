"""RetinaNet (Lin et al., https://arxiv.org/abs/1708.02002) with a feature pyramid, in torchvision's form."""

from typing import Any

from torchvision.models.detection import RetinaNet
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from models.architecture.architecture import DetectorArchitecture, Family
from models.detection.torchvision_adapter import LIBRARY_DEFAULTS, TorchvisionAdapter
from models.networks.pyramid import on_cpu, pyramid, renamed

_CHANNELS = 256


def _architecture(name: str) -> DetectorArchitecture:
    return DetectorArchitecture(
        name,
        build=lambda classes, settings: on_cpu(lambda: _build(classes)),
        library_defaults=LIBRARY_DEFAULTS,
        adapt=renamed,
        adapter=TorchvisionAdapter(
            thresholds=lambda network: network,
            dense_head="head",
            unflatten=lambda outputs: dict(zip(("cls_logits", "bbox_regression"), outputs, strict=True)),
            map_names=("0", "1", "2", "p6", "p7"),
            first_label=0,  # it has no class for the background
        ),
    )


def _build(classes: int) -> Any:
    return RetinaNet(pyramid("resnet50", (2, 3, 4), LastLevelP6P7(_CHANNELS, _CHANNELS)), num_classes=classes)


FAMILY = Family(("retinanet_resnet50_fpn",), _architecture)
