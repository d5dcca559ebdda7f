"""RetinaNet: a row is an anchor at a place of a map, and a dense head scores it from the places around."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from explain.detection.box_target import BoxTarget
from explain.detection.family import BOX_ASPECTS, MapPart, Reading, clipped, side_numbers
from explain.detection.rows import Rows
from explain.request.parameter_types import Aspect
from models.detection.adapter import DetectorInput
from models.detection.torchvision_adapter import TorchvisionAdapter

_REACH = 5  # cells: the dense head has five convolutions of 3x3


@dataclass(frozen=True, slots=True)
class AnchorFamily:
    """A network with anchors at each place of its maps."""

    network: Any
    adapter: TorchvisionAdapter
    aspects: frozenset[Aspect] = BOX_ASPECTS
    pools_box: bool = False
    extra_passes: int = 0

    def rows(self, outputs: Sequence[Tensor], source: DetectorInput) -> Rows:
        """Return a row for each anchor."""
        count = len(self.adapter.map_names)
        maps, dense = list(outputs[:count]), list(outputs[count:])
        heads = self.adapter.unflatten(dense) if dense else self.network.head(maps)
        anchors = self._anchors(maps, source)
        boxes = self.network.box_coder.decode_single(heads["bbox_regression"][0], anchors)
        return Rows(clipped(boxes, source.size), heads["cls_logits"][0].sigmoid())

    def cells(self, outputs: Sequence[Tensor], source: DetectorInput, target: BoxTarget) -> Tensor:
        """Return nothing: there are no masks."""
        return outputs[0].new_zeros(0, dtype=torch.bool)

    def of_inputs(self, inputs: Tensor, source: DetectorInput) -> "AnchorPass":
        """Run the backbone; the head runs around the places that are read."""
        maps = list(self.network.backbone(self.adapter.padded(inputs, source.padded)).values())
        return AnchorPass(self.network, maps, self._anchors(maps, source), source, attached=True)

    def of_maps(self, outputs: Sequence[Tensor], source: DetectorInput) -> "AnchorPass":
        """Read from the maps that scoring computed."""
        maps = list(outputs[: len(self.adapter.map_names)])
        return AnchorPass(self.network, maps, self._anchors(maps, source), source, attached=False)

    def _anchors(self, maps: Sequence[Tensor], source: DetectorInput) -> Tensor:
        images = ImageList(maps[0].new_empty((1, 3, *source.padded)), [source.size])
        anchors: Tensor = self.network.anchor_generator(images, list(maps))[0]
        return anchors


@dataclass(frozen=True, slots=True)
class AnchorPass:
    """The maps of a batch and the anchors on them, [R, 4]. If not `attached`, readings depend on the maps only."""

    network: nn.Module
    maps: Sequence[Tensor]
    anchors: Tensor
    source: DetectorInput
    attached: bool

    def read(self, target: BoxTarget, number: int = 0) -> Reading:
        """Run the head on the places around the anchor, which gives the same numbers there as on the whole map."""
        assert target.row is not None
        level, y, x, anchor, each = self._place(target.row)
        values = self.maps[level][number]
        height, width = values.shape[1:]
        rows = slice(max(0, y - _REACH), min(height, y + _REACH + 1))
        columns = slice(max(0, x - _REACH), min(width, x + _REACH + 1))
        part = values[:, rows, columns]
        if not self.attached:
            part = part.detach().clone().requires_grad_()
        at = ((y - rows.start) * part.shape[2] + x - columns.start) * each + anchor
        across, down = self.source.padded[1] / width, self.source.padded[0] / height
        box = (columns.start * across, rows.start * down, columns.stop * across, rows.stop * down)
        return Reading(self._numbers(part, target, at), [MapPart(part, box)])

    def _numbers(self, part: Tensor, target: BoxTarget, at: int) -> Tensor:
        head: Any = self.network.head
        if target.aspect == "label":
            logit = head.classification_head([part[None]])[0, at, target.label]
            return torch.stack([logit, logit.sigmoid()])
        coder: Any = self.network.box_coder
        deltas = head.regression_head([part[None]])[0, at]
        corners = coder.decode_single(deltas[None], self.anchors[target.row][None])[0]
        return side_numbers(corners, target.aspect, self.source.size)

    def _place(self, row: int) -> tuple[int, int, int, int, int]:
        """Return the level, y, x and anchor of a row, and how many anchors each place has."""
        places = [values.shape[2] * values.shape[3] for values in self.maps]
        each = len(self.anchors) // sum(places)
        for level, count in enumerate(places):
            if row < count * each:
                place, anchor = divmod(row, each)
                return level, *divmod(place, self.maps[level].shape[3]), anchor, each
            row -= count * each
        raise IndexError(row)
