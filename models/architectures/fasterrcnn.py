"""Faster R-CNN (Ren et al., https://arxiv.org/abs/1506.01497) with a feature pyramid, in torchvision's form."""

from typing import Any

from torchvision.models.detection import FasterRCNN

from models.architecture.architecture import DetectorArchitecture, Family
from models.detection.torchvision_adapter import LIBRARY_DEFAULTS, TorchvisionAdapter
from models.networks.pyramid import RESNETS, on_cpu, pyramid, renamed
from models.networks.region_pool import RegionPool


def _architecture(name: str) -> DetectorArchitecture:
    resnet = name.removeprefix("fasterrcnn_").removesuffix("_fpn")
    return DetectorArchitecture(
        name,
        build=lambda classes, settings: on_cpu(lambda: _build(resnet, classes)),
        library_defaults=LIBRARY_DEFAULTS,
        adapt=renamed,
        adapter=TorchvisionAdapter.of_rcnn(),
        background=True,
    )


def _build(resnet: str, classes: int) -> Any:
    return FasterRCNN(pyramid(resnet, (1, 2, 3, 4)), num_classes=classes, box_roi_pool=RegionPool(7))


FAMILY = Family(tuple(f"fasterrcnn_{resnet}_fpn" for resnet in RESNETS), _architecture)
