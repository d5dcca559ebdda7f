"""The loss of a detector, part by part, as torchvision computes it, but with few masks per image."""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss, maskrcnn_loss

from examples.fridge.detector.batch import DetectorBatch
from examples.fridge.detector.schedule import MASKS_PER_IMAGE


def detector_loss(network: Any, batch: DetectorBatch, *, masks: bool) -> Tensor:
    """Return the loss, a scalar: of region proposals, labels and boxes and, with `masks`, of masks.

    network: a MaskRCNN in training mode. Its own resizing is left out: the images of a batch have their size already.
    """
    sizes = [batch.size] * len(batch.targets)
    features = network.backbone(batch.inputs)
    regions, losses = network.rpn(ImageList(batch.inputs, sizes), features, batch.targets)
    heads = network.roi_heads
    regions, matches, labels, shifts = heads.select_training_samples(regions, batch.targets)
    pooled = heads.box_head(heads.box_roi_pool(features, regions, sizes))
    loss: Tensor = sum(losses.values()) + sum(fastrcnn_loss(*heads.box_predictor(pooled), labels, shifts))
    if masks:
        chosen = [_some_objects(one) for one in labels]
        loss = loss + _mask_loss(heads, features, batch, _pick(regions, chosen), _pick(matches, chosen))
    return loss


def _some_objects(labels: Tensor) -> Tensor:
    """Choose regions with objects to learn masks of, int64 [at most MASKS_PER_IMAGE]."""
    positive = torch.where(labels > 0)[0]
    return positive[torch.randperm(len(positive), device=positive.device)[:MASKS_PER_IMAGE]]


def _pick(values: list[Tensor], chosen: list[Tensor]) -> list[Tensor]:
    return [value[index] for value, index in zip(values, chosen, strict=True)]


def _mask_loss(
    heads: Any, features: dict[str, Tensor], batch: DetectorBatch, regions: list[Tensor], matches: list[Tensor]
) -> Tensor:
    sizes = [batch.size] * len(batch.targets)
    logits = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(features, regions, sizes)))
    masks = [target["masks"] for target in batch.targets]
    labels = [target["labels"] for target in batch.targets]
    loss: Tensor = maskrcnn_loss(logits, regions, masks, labels, matches)
    return loss
