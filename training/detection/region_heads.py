"""The heads of Faster R-CNN and Mask R-CNN for training, with as many regions and masks an image as one asks for.

Small images with few objects need fewer than torchvision takes for COCO, and regions cost most of a step there.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss, maskrcnn_loss

# torchvision's: proposals before and after suppression, and anchors, for 512 regions
_REGIONS, _PROPOSALS, _ANCHORS, _FEWEST_ANCHORS = 512, 2000, 256, 64


class TrainingHeads(RoIHeads):  # type: ignore[misc]  # its package has no types
    """Takes over the modules of the heads of a network, and trains on few regions and masks of each image."""

    def __init__(self, heads: Any, regions: int, masks: int) -> None:
        super().__init__(
            heads.box_roi_pool,
            heads.box_head,
            heads.box_predictor,
            heads.proposal_matcher.high_threshold,
            heads.proposal_matcher.low_threshold,
            regions,
            heads.fg_bg_sampler.positive_fraction,
            heads.box_coder.weights,
            heads.score_thresh,
            heads.nms_thresh,
            heads.detections_per_img,
            heads.mask_roi_pool,
            heads.mask_head,
            heads.mask_predictor,
        )
        self.masks_per_image = masks

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> Any:
        """Return no detections and the losses while training, else what torchvision does."""
        if not self.training:
            return super().forward(features, proposals, image_shapes, targets)
        assert targets is not None
        regions, matches, labels, shifts = self.select_training_samples(proposals, targets)
        logits, deltas = self.box_predictor(self.box_head(self.box_roi_pool(features, regions, image_shapes)))
        of_labels, of_boxes = fastrcnn_loss(logits.float(), deltas.float(), labels, shifts)
        losses = {"loss_classifier": of_labels, "loss_box_reg": of_boxes}
        if self.has_mask():
            chosen = [self._with_masks(each) for each in labels]
            places = [region[index] for region, index in zip(regions, chosen, strict=True)]
            objects = [match[index] for match, index in zip(matches, chosen, strict=True)]
            losses["loss_mask"] = self._mask_loss(features, places, objects, image_shapes, targets)
        return [], losses

    def _with_masks(self, labels: Tensor) -> Tensor:
        """Choose regions that show objects, int64 [at most masks_per_image]."""
        objects = torch.where(labels > 0)[0]
        return objects[torch.randperm(len(objects), device=objects.device)[: self.masks_per_image]]

    def _mask_loss(
        self,
        features: dict[str, Tensor],
        regions: list[Tensor],
        objects: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: Sequence[dict[str, Tensor]],
    ) -> Tensor:
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, regions, image_shapes)))
        # torchvision turns all masks that it is given into float32
        needed = [torch.unique(index, return_inverse=True) for index in objects]
        masks = [target["masks"][each] for target, (each, _) in zip(targets, needed, strict=True)]
        labels = [target["labels"][each] for target, (each, _) in zip(targets, needed, strict=True)]
        loss: Tensor = maskrcnn_loss(logits.float(), regions, masks, labels, [place for _, place in needed])
        return loss


def limit_regions(network: Any, regions: int, masks: int) -> None:
    """Have a network of torchvision train on that many regions, and regions with masks, of each image."""
    network.roi_heads = TrainingHeads(network.roi_heads, regions, masks)
    share = min(regions / _REGIONS, 1.0)
    # torchvision takes these numbers in its constructor only
    network.rpn._pre_nms_top_n["training"] = network.rpn._post_nms_top_n["training"] = round(_PROPOSALS * share)
    network.rpn.fg_bg_sampler.batch_size_per_image = max(_FEWEST_ANCHORS, round(_ANCHORS * share))
