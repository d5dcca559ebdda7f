"""Evaluates a detector on images that training never saw, given to it as a server would give them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from examples.fridge.labelled_scene import LabelledScene
from examples.fridge.progress import progress_bar
from examples.fridge.scene import LABELS
from examples.fridge.training.average_precision import (
    ImageResult,
    average_precisions,
    box_ious,
    mask_ious,
    mean_average_precision,
    precision_and_recall,
)


def evaluate(network: nn.Module, unseen: Sequence[LabelledScene]) -> dict[str, Any]:
    """Return the figures of card.json for a network of `served_network`, all in [0, 1].

    box_map50 (mean average precision), box_ap50_per_label, box_precision (the share of its boxes that are right),
    box_recall (the share of the objects that have a right box) and, for a network that finds masks, the same of masks.
    """
    device = next(network.parameters()).device
    boxes, masks = [], []
    with torch.inference_mode():
        for scene in progress_bar("testing", unseen):
            image = torch.from_numpy(scene.image).permute(2, 0, 1).to(device).float() / 255
            output = {name: tensor.cpu() for name, tensor in network([image])[0].items()}
            boxes.append(box_result(output, scene))
            if "masks" in output:
                masks.append(mask_result(output, scene))
    return _figures("box", boxes) | (_figures("mask", masks) if masks else {})


def box_result(output: Mapping[str, Tensor], scene: LabelledScene) -> ImageResult:
    """Compare the boxes that a network of torchvision found, on the CPU, with those of the objects."""
    return _result(output, scene, box_ious(output["boxes"].numpy(), scene.boxes))


def mask_result(output: Mapping[str, Tensor], scene: LabelledScene) -> ImageResult:
    """Compare the masks that a network of torchvision found, on the CPU, with those of the objects."""
    return _result(output, scene, mask_ious(output["masks"][:, 0].numpy() > 0.5, scene.masks()))


def _result(output: Mapping[str, Tensor], scene: LabelledScene, ious: Any) -> ImageResult:
    # Label 0 is the background
    return ImageResult(output["scores"].numpy(), output["labels"].numpy() - 1, scene.labels, ious)


def _figures(kind: str, results: Sequence[ImageResult]) -> dict[str, Any]:
    per_label = {LABELS[index]: precision for index, precision in average_precisions(results).items()}
    precision, recall = precision_and_recall(results)
    return {
        f"{kind}_map50": mean_average_precision(results),
        f"{kind}_precision": precision,
        f"{kind}_recall": recall,
        f"{kind}_ap50_per_label": per_label,
    }
