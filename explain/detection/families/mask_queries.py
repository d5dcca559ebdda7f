"""MaskFormer and Mask2Former of transformers: a row is a query with labels and a mask; its box is the mask's extent."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explain.detection.box_target import BoxTarget
from explain.detection.family import MapPart, Reading, inputs_of, mask_numbers
from explain.detection.recorded_maps import recorded_maps
from explain.detection.rows import Rows
from explain.request.parameter_types import Aspect
from models.detection.adapter import DetectorInput
from models.huggingface.mask_adapter import MaskAdapter


@dataclass(frozen=True, slots=True)
class MaskQueryFamily:
    """A network whose outputs are logits of labels [N, Q, C + 1] and of masks [N, Q, h, w]."""

    network: nn.Module
    adapter: MaskAdapter
    aspects: frozenset[Aspect] = frozenset({"label", "mask"})  # a box is the extent of a mask, so its sides are steps
    pools_box: bool = False
    extra_passes: int = 1

    def rows(self, outputs: Sequence[Tensor], source: DetectorInput) -> Rows:
        """Return a row for each query. The mean of its mask stands for its objectness, as in the scores of replies."""
        logits, masks = outputs[0][0], outputs[1][0]
        inside = masks > 0
        means = (masks.sigmoid() * inside).flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)
        return Rows(_extents(inside, source), logits.softmax(1)[:, :-1], means)

    def cells(self, outputs: Sequence[Tensor], source: DetectorInput, target: BoxTarget) -> Tensor:
        """Return the cells of the query's mask, bool [h, w]."""
        return outputs[1][0, target.row].detach() > 0

    def of_inputs(self, inputs: Tensor, source: DetectorInput) -> "MaskQueryPass":
        """Run the whole network."""
        logits, masks = self.network(self.adapter.padded(inputs, source.padded))
        return MaskQueryPass(logits.float(), masks.float())

    def of_maps(self, outputs: Sequence[Tensor], source: DetectorInput) -> "MaskQueryPass":
        """Run the network, from the maps of its backbone on with gradients."""
        inputs = inputs_of(self.adapter, source, next(self.network.parameters()).device)
        (logits, masks), maps = recorded_maps(self.network, self.adapter.padded(inputs, source.padded), source)
        return MaskQueryPass(logits.float(), masks.float(), maps)


@dataclass(frozen=True, slots=True)
class MaskQueryPass:
    """The outputs of a batch, and the maps that they depend on where these were recorded."""

    logits: Tensor
    masks: Tensor
    maps: Sequence[MapPart] = ()

    def read(self, target: BoxTarget, number: int = 0) -> Reading:
        """Read the query of a target."""
        if target.aspect == "mask":
            return Reading(mask_numbers(self.masks[number, target.row], target), self.maps)
        logits = self.logits[number, target.row]
        return Reading(torch.stack([logits[target.label], logits.softmax(0)[target.label]]), self.maps)


def _extents(inside: Tensor, source: DetectorInput) -> Tensor:
    """Return the extents of masks, bool [Q, h, w], in pixels of the content: [Q, 4]; 0 for an empty one."""
    height, width = inside.shape[1:]
    edges = []
    for along, length, pixels in ((inside.any(1), width, source.size[1]), (inside.any(2), height, source.size[0])):
        first = along.float().argmax(1)
        beyond = (length - along.flip(1).float().argmax(1)) * along.any(1)
        edges.append(torch.stack([first, beyond], 1) * (pixels / length))
    return torch.stack([edges[0][:, 0], edges[1][:, 0], edges[0][:, 1], edges[1][:, 1]], 1).float()
