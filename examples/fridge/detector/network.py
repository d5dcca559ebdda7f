"""Faster R-CNN and Mask R-CNN on a resnet18, built by torchvision and saved as AutoML for Images does."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from examples.fridge.scene import LABELS
from models.networks.region_pool import RegionPool

CLASSES = ("--bg--", *LABELS)
BOXES, MASKS = "fasterrcnn_resnet18_fpn", "maskrcnn_resnet18_fpn"

# Fewer regions than torchvision's defaults for COCO: an image has at most four objects, and regions cost time.
_TRAINING = {
    "rpn_pre_nms_top_n_train": 200,
    "rpn_post_nms_top_n_train": 100,
    "rpn_batch_size_per_image": 64,
    "box_batch_size_per_image": 48,
}


def training_network() -> Any:
    """Return an untrained Mask R-CNN whose batch norms learn, with few regions per image in training."""
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
    )
    network = MaskRCNN(backbone, num_classes=len(CLASSES), **_TRAINING)
    network.roi_heads.box_roi_pool = RegionPool(7)
    network.roi_heads.mask_roi_pool = RegionPool(14)
    return network


def served_network(architecture: str, settings: Mapping[str, float], state: Mapping[str, Tensor]) -> nn.Module:
    """Return the network that a server builds with the weights in `state`, in evaluation mode.

    architecture: BOXES or MASKS. settings: model_settings as in settings.json. RuntimeError where the
    tensors of `state` are not those of the architecture.
    """
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=FrozenBatchNorm2d)
    network: nn.Module = {BOXES: FasterRCNN, MASKS: MaskRCNN}[architecture](
        backbone,
        num_classes=len(CLASSES),
        min_size=settings["min_size"],
        max_size=settings["max_size"],
        box_score_thresh=settings["box_score_thresh"],
        box_nms_thresh=settings["nms_iou_thresh"],
        box_detections_per_img=settings["box_detections_per_img"],
    )
    network.load_state_dict(state)
    return network.eval()


def served_state(network: nn.Module, architecture: str) -> dict[str, Tensor]:
    """Return the weights of a trained network for a server: batch norms frozen, unused heads left out."""
    left_out = ("roi_heads.mask_",) if architecture == BOXES else ()
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked") and not name.startswith(left_out)
    }
