"""Builds small detector folders with seeded weights, and what they should find by torchvision alone.

The references follow the hosted pipeline step by step and image by image, and use nothing of the product.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.models.detection import FasterRCNN, MaskRCNN, RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from models.detector import Detector
from models.loaded import load
from tests.support.folders.checkpoints import LABELS, write_json
from tests.support.references.outlines import plain_polygons

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
NAMES = (
    *(f"fasterrcnn_{resnet}_fpn" for resnet in RESNETS),
    "retinanet_resnet50_fpn",
    *(f"maskrcnn_{resnet}_fpn" for resnet in RESNETS),
)
# small images, to be fast: the fewer places, the fewer proposals
SETTINGS = {
    "min_size": 48,
    "max_size": 80,
    "box_score_thresh": 0.1,
    "nms_iou_thresh": 0.5,
    "box_detections_per_img": 12,
}

Objects = list[dict[str, Any]]


def build(name: str, classes: int, **options: Any) -> Any:
    """Build a detector of torchvision with any weights and, by default, its own preparation of images."""
    kind, resnet, _ = name.split("_")
    extra = {"returned_layers": [2, 3, 4], "extra_blocks": LastLevelP6P7(256, 256)} if kind == "retinanet" else {}
    backbone = resnet_fpn_backbone(
        backbone_name=resnet, weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=5, **extra
    )
    builders = {"fasterrcnn": FasterRCNN, "maskrcnn": MaskRCNN, "retinanet": RetinaNet}
    return builders[kind](backbone, num_classes=classes if kind == "retinanet" else classes + 1, **options).eval()


@lru_cache(maxsize=4)  # hundreds of megabytes each
def seeded_detector(name: str, seed: int = 0) -> Mapping[str, Tensor]:
    """The state dict of a detector whose weights find boxes of clearly different scores in any image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(name, len(LABELS))
        for norm in network.backbone.body.modules():
            if isinstance(norm, FrozenBatchNorm2d):
                norm.bias.uniform_(-0.2, 0.2)  # else black would stay black through all layers
    for block in network.backbone.body.modules():
        if hasattr(block, "conv2"):  # loud residual branches would magnify rounding errors from block to block
            (block.bn3 if hasattr(block, "conv3") else block.bn2).weight.fill_(0.2)
    with torch.no_grad():
        for part, factor in _LOUDER.items():
            for parameter_name, parameter in network.named_parameters():
                if parameter_name.startswith(part) and parameter_name.endswith("weight"):
                    parameter.mul_(factor)
        if "head.classification_head.cls_logits.bias" in network.state_dict():
            network.head.classification_head.cls_logits.bias.fill_(-1.5)
    return network.state_dict()  # type: ignore[no-any-return]


# the initial heads of torchvision say nearly the same of everything
_LOUDER = {
    "rpn.head.cls_logits": 20,
    "rpn.head.bbox_pred": 20,
    "roi_heads.box_predictor": 8,
    "roi_heads.mask_predictor.mask_fcn_logits": 2,
    "head.classification_head.cls_logits": 40,
    "head.regression_head.bbox_reg": 10,
}


def detector_checkpoint(
    name: str, settings: Mapping[str, Any], state: Mapping[str, Tensor], labels: Sequence[str] = LABELS, **specs: Any
) -> dict[str, Any]:
    """Wrap a state dict as training does."""
    classes = list(labels) if name.startswith(("retinanet", "yolo")) else ["--bg--", *labels]
    return {
        "epoch": 14,
        "model_name": name,
        "number_of_classes": len(classes),
        "specs": {"model_specs": None, "model_settings": dict(settings), "classes": classes, "inference_settings": {}}
        | specs,
        "model_state": dict(state),
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.zeros(3)}}},
        "score": np.float64(0.5),
    }


def write_detector_folder(
    path: Path,
    name: str = "fasterrcnn_resnet18_fpn",
    *,
    settings: Mapping[str, Any] | None = None,
    state: Mapping[str, Tensor] | None = None,
    seed: int = 0,
    base: Mapping[str, Any] = SETTINGS,
    **specs: Any,
) -> Path:
    """Write an MLflow folder with a seeded detector.

    The checkpoint says that it was trained with `base`; `settings` go over that into settings.json.
    """
    given = {**base, **(settings or {})}
    state = seeded_detector(name, seed) if state is None else state
    (path / "artifacts").mkdir(parents=True)
    torch.save(detector_checkpoint(name, base, state, **specs), path / "artifacts/model.pt")
    write_json(path / "artifacts/settings.json", given)
    return path


def load_detector(path: Path, **options: Any) -> Detector:
    model = load(path, **options)
    assert isinstance(model, Detector)
    return model


class Reference:
    """The hosted pipeline for one network, from torchvision's own parts."""

    def __init__(self, name: str, settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
        self.settings = settings
        # scores and boxes of the whole class of detectors are filtered by the network itself
        prefix = "" if name.startswith("retinanet") else "box_"
        thresholds = {
            f"{prefix}score_thresh": settings["box_score_thresh"],
            f"{prefix}nms_thresh": settings["nms_iou_thresh"],
            "box_detections_per_img" if prefix else "detections_per_img": settings["box_detections_per_img"],
        }
        self.network: Any = build(name, len(LABELS), image_mean=[0.0] * 3, image_std=[1.0] * 3, **thresholds)
        # images come resized, and boxes and masks leave in that frame
        self.network.transform.resize = lambda image, target: (image, target)
        self.network.transform.postprocess = lambda result, *sizes: result
        self.network.load_state_dict(state)
        self.background = int(not name.startswith("retinanet"))
        self.transform = GeneralizedRCNNTransform(
            settings["min_size"], settings["max_size"], [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        ).eval()

    def raw(self, image: Image.Image) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """The network's outputs for an image, in pixels of its resized form, and that form's (height, width)."""
        values = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
        resized, _ = self.transform.resize(self.transform.normalize(values))
        with torch.inference_mode():
            found: dict[str, Tensor] = self.network([resized])[0]
        return found, (int(resized.shape[1]), int(resized.shape[2]))

    def boxes(self, data: bytes) -> Objects:
        """The objects in an encoded image, as a reply lists them."""
        found, (height, width) = self.raw(Image.open(BytesIO(data)).convert("RGB"))
        return self.objects(found, (height, width))

    def objects(self, found: Mapping[str, Tensor], size: tuple[int, int]) -> Objects:
        """Convert boxes in pixels of the resized image to the keys of the contract."""
        height, width = size
        listed: Objects = []
        for number, (left, top, right, bottom) in enumerate(found["boxes"].tolist()):
            one: dict[str, Any] = {
                "box": {
                    "topX": left / width,
                    "topY": top / height,
                    "bottomX": right / width,
                    "bottomY": bottom / height,
                },
                "label": LABELS[int(found["labels"][number]) - self.background],
                "score": float(found["scores"][number]),
            }
            if "masks" in found:
                mask = paste_masks_in_image(
                    found["masks"][number : number + 1], found["boxes"][number : number + 1], (height, width)
                )[0, 0].numpy()
                one["polygon"] = plain_polygons(mask > self.settings.get("mask_pixel_score_threshold", 0.5), 100)
            listed.append(one)
        return listed


def assert_alike(found: Sequence[Any], expected: Sequence[Any], tolerance: float = 1e-4) -> None:
    """Two replies tell the same objects in the same order.

    The outlines of one of them may differ: where a mask comes within rounding of its threshold, a pixel falls to either
    side.
    """
    assert [one["label"] for one in found] == [one["label"] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert abs(one["score"] - other["score"]) <= tolerance
        assert max(abs(one["box"][key] - other["box"][key]) for key in other["box"]) <= tolerance
        assert ("polygon" in one) == ("polygon" in other)
    assert sum(not _same_outlines(one, other, tolerance) for one, other in zip(found, expected, strict=True)) <= 1


def _same_outlines(one: Any, other: Any, tolerance: float) -> bool:
    ours, theirs = one.get("polygon", []), other.get("polygon", [])
    if [len(outline) for outline in ours] != [len(outline) for outline in theirs]:
        return False
    return all(np.abs(np.subtract(a, b)).max() <= tolerance for a, b in zip(ours, theirs, strict=True))
