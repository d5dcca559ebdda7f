"""Mask R-CNN (He et al., https://arxiv.org/abs/1703.06870) with a feature pyramid, in torchvision's form."""

from typing import Any

from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor

from models.architecture.architecture import DetectorArchitecture, Family, State
from models.detection.torchvision_adapter import LIBRARY_DEFAULTS, TorchvisionAdapter
from models.networks.pyramid import RESNETS, on_cpu, pyramid, renamed
from models.networks.region_pool import RegionPool
from settings.model import SegmentationSettings

_HIDDEN = "roi_heads.mask_predictor.conv5_mask.weight"


def _architecture(name: str) -> DetectorArchitecture:
    resnet = name.removeprefix("maskrcnn_").removesuffix("_fpn")
    return DetectorArchitecture(
        name,
        build=lambda classes, settings: on_cpu(lambda: _build(resnet, classes)),
        library_defaults=LIBRARY_DEFAULTS,
        adapt=_adapt,
        adapter=TorchvisionAdapter.of_rcnn(),
        background=True,
        tasks=("segmentation",),
        settings=SegmentationSettings,
    )


def _build(resnet: str, classes: int) -> Any:
    return MaskRCNN(
        pyramid(resnet, (1, 2, 3, 4)), num_classes=classes, box_roi_pool=RegionPool(7), mask_roi_pool=RegionPool(14)
    )


def _adapt(network: nn.Module, state: State) -> State:
    """Give the tensors the names of the network, and its mask predictor the width of the tensors."""
    state = renamed(network, state)
    given, wanted = state.get(_HIDDEN), network.state_dict()[_HIDDEN]
    if given is not None and given.dim() == wanted.dim() and given.shape[1] != wanted.shape[1]:
        heads: Any = network.get_submodule("roi_heads")
        classes = heads.mask_predictor.mask_fcn_logits.out_channels
        heads.mask_predictor = MaskRCNNPredictor(wanted.shape[0], given.shape[1], classes)
    return state


FAMILY = Family(tuple(f"maskrcnn_{resnet}_fpn" for resnet in RESNETS), _architecture)
