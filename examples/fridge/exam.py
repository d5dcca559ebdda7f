"""How well a detector does on pictures it never saw, as a server would show them to it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from examples.fridge.labelled_scene import LabelledScene
from examples.fridge.precision import (
    Outcome,
    average_precisions,
    box_overlaps,
    mask_overlaps,
    mean_average_precision,
    right_shares,
)
from examples.fridge.progress import Progress
from examples.fridge.scene import LABELS


def measure(network: nn.Module, unseen: Sequence[LabelledScene]) -> dict[str, Any]:
    """Return what card.json says of a network as `served_network` builds it: mean average precisions in [0, 1].

    box_map50, box_ap50_per_label, box_right (the share of its boxes that are right), box_found (the share of the
    objects that have a right one) and, of a network that finds masks, the same of masks.
    """
    progress = Progress("testing", len(unseen))
    device = next(network.parameters()).device
    boxes, masks = [], []
    with torch.inference_mode():
        for scene in unseen:
            picture = torch.from_numpy(scene.picture).permute(2, 0, 1).to(device).float() / 255
            found = {name: tensor.cpu() for name, tensor in network([picture])[0].items()}
            boxes.append(box_outcome(found, scene))
            if "masks" in found:
                masks.append(mask_outcome(found, scene))
            progress.advance(1)
    return _figures("box", boxes) | (_figures("mask", masks) if masks else {})


def box_outcome(found: Mapping[str, Tensor], scene: LabelledScene) -> Outcome:
    """Compare the boxes of one reply of torchvision's, on the CPU, with what is there."""
    return _outcome(found, scene, box_overlaps(found["boxes"].numpy(), scene.boxes))


def mask_outcome(found: Mapping[str, Tensor], scene: LabelledScene) -> Outcome:
    """Compare the masks of one reply of torchvision's, on the CPU, with what is there."""
    return _outcome(found, scene, mask_overlaps(found["masks"][:, 0].numpy() > 0.5, scene.masks()))


def _outcome(found: Mapping[str, Tensor], scene: LabelledScene, overlaps: Any) -> Outcome:
    # Label 0 is the background
    return Outcome(found["scores"].numpy(), found["labels"].numpy() - 1, scene.labels, overlaps)


def _figures(what: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    per_label = {LABELS[index]: precision for index, precision in average_precisions(outcomes).items()}
    right, found = right_shares(outcomes)
    return {
        f"{what}_map50": mean_average_precision(outcomes),
        f"{what}_right": right,
        f"{what}_found": found,
        f"{what}_ap50_per_label": per_label,
    }
