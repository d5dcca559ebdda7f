"""Faster and Mask R-CNN: a box is pooled from the maps as if it were a proposal, and the heads say what is in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from explain.detection.box_target import BoxTarget
from explain.detection.family import BOX_ASPECTS, MapPart, Reading, clipped, mask_numbers, side_numbers
from explain.detection.rows import Rows
from explain.request.parameter_types import Aspect
from models.detection.adapter import DetectorInput
from models.detection.torchvision_adapter import TorchvisionAdapter
from models.networks.region_pool import RegionPool

_AROUND = 2  # cells of a map beyond a box that pooling may interpolate from


@dataclass(frozen=True, slots=True)
class RegionFamily:
    """A network with region proposals."""

    network: Any
    adapter: TorchvisionAdapter
    pools_box: bool = True
    extra_passes: int = 0

    @property
    def aspects(self) -> frozenset[Aspect]:
        """The label, the box and its sides; the mask where the network draws one."""
        return BOX_ASPECTS | {"mask"} if self.network.roi_heads.has_mask() else BOX_ASPECTS

    def rows(self, outputs: Sequence[Tensor], source: DetectorInput) -> Rows:
        """Return all proposals, with a box and a probability for each label."""
        heads, images = self.network.roi_heads, self._images(outputs, source)
        with self.adapter.computed(self.network, images, outputs):
            maps = self.network.backbone(images.tensors)
            proposals, _ = self.network.rpn(images, maps)
        pooled = heads.box_roi_pool(maps, proposals, images.image_sizes)
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        boxes = clipped(heads.box_coder.decode(deltas, proposals), source.size)
        return Rows(boxes[:, 1:], logits.softmax(1)[:, 1:])

    def cells(self, outputs: Sequence[Tensor], source: DetectorInput, target: BoxTarget) -> Tensor:
        """Return the cells of the box, bool [M, M], that the mask head finds more likely than not."""
        return self._scored(outputs, source).mask_logits(target, 0)[0].detach() > 0

    def of_inputs(self, inputs: Tensor, source: DetectorInput) -> "RegionPass":
        """Run the backbone; proposals play no part, since the box is given."""
        maps = self.network.backbone(self.adapter.padded(inputs, source.padded))
        return RegionPass(self.network, list(maps.values()), source.size, attached=True)

    def of_maps(self, outputs: Sequence[Tensor], source: DetectorInput) -> "RegionPass":
        """Read from the maps that scoring computed."""
        return self._scored(outputs, source)

    def _scored(self, outputs: Sequence[Tensor], source: DetectorInput) -> "RegionPass":
        return RegionPass(self.network, list(outputs), source.size, attached=False)

    def _images(self, outputs: Sequence[Tensor], source: DetectorInput) -> ImageList:
        # only its shape is looked at: anchors are laid out over it
        return ImageList(outputs[0].new_empty((1, 3, *source.padded)), [source.size])


@dataclass(frozen=True, slots=True)
class RegionPass:
    """The maps of a batch, of inputs whose content is `size` (height, width), and the heads that read them.

    If it is not `attached`, readings depend on the part of the map around the box, and on nothing before.
    """

    network: nn.Module
    maps: Sequence[Tensor]
    size: tuple[int, int]
    attached: bool

    def read(self, target: BoxTarget, number: int = 0) -> Reading:
        """Pool the box, and read the aspect from the head that knows it."""
        heads: Any = self.network.roi_heads
        if target.aspect == "mask":
            logits, part = self.mask_logits(target, number)
            return Reading(mask_numbers(logits, target), [part])
        pooled, part = self._pooled(heads.box_roi_pool, target, number)
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        label = 1 + target.label
        if target.aspect == "label":
            return Reading(torch.stack([logits[0, label], logits.softmax(1)[0, label]]), [part])
        boxes = heads.box_coder.decode(deltas, [target.corners.to(deltas.device)[None]])[0, label]
        return Reading(side_numbers(boxes, target.aspect, self.size), [part])

    def mask_logits(self, target: BoxTarget, number: int) -> tuple[Tensor, MapPart]:
        """Return the logits of the label's mask over the box, [M, M], and the part of the map they depend on."""
        heads: Any = self.network.roi_heads
        pooled, part = self._pooled(heads.mask_roi_pool, target, number)
        return heads.mask_predictor(heads.mask_head(pooled))[0, 1 + target.label], part

    def _pooled(self, pool: RegionPool, target: BoxTarget, number: int) -> tuple[Tensor, MapPart]:
        device = self.maps[0].device
        corners = target.corners.to(device)[None]
        level = int(pool.map_levels([corners])[0])
        values, scale = self.maps[level][number], pool.scales[level]
        left, top, right, bottom = (float(value) * scale for value in target.corners)
        rows = slice(max(0, int(top) - _AROUND), min(values.shape[1], int(bottom) + 1 + _AROUND))
        columns = slice(max(0, int(left) - _AROUND), min(values.shape[2], int(right) + 1 + _AROUND))
        part = values[:, rows, columns]
        if not self.attached:
            part = part.detach().clone().requires_grad_()
        offset = torch.tensor([columns.start, rows.start] * 2, device=device)
        pooled = pool.pooled(part[None], corners * scale - offset, torch.zeros(1, dtype=torch.long, device=device))
        box = tuple(edge / scale for edge in (columns.start, rows.start, columns.stop, rows.stop))
        return pooled, MapPart(part, box)  # type: ignore[arg-type]  # four edges
