"""DETR and its successors of transformers: a row is a query, which has logits of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert

from explain.detection.box_target import BoxTarget
from explain.detection.family import BOX_ASPECTS, MapPart, Reading, inputs_of, side_numbers
from explain.detection.recorded_maps import recorded_maps
from explain.detection.rows import Rows
from explain.request.parameter_types import Aspect
from models.detection.adapter import DetectorInput
from models.huggingface.query_adapter import QueryAdapter


@dataclass(frozen=True, slots=True)
class QueryFamily:
    """A network whose outputs are logits [N, Q, C] and boxes [N, Q, 4] as centre and size in [0, 1]."""

    network: nn.Module
    adapter: QueryAdapter
    aspects: frozenset[Aspect] = BOX_ASPECTS
    pools_box: bool = False
    extra_passes: int = 1

    def rows(self, outputs: Sequence[Tensor], source: DetectorInput) -> Rows:
        """Return a row for each query."""
        logits, boxes = outputs
        return Rows(_corners(boxes[0], source), self._probabilities(logits[0]))

    def cells(self, outputs: Sequence[Tensor], source: DetectorInput, target: BoxTarget) -> Tensor:
        """Return nothing: there are no masks."""
        return outputs[0].new_zeros(0, dtype=torch.bool)

    def of_inputs(self, inputs: Tensor, source: DetectorInput) -> "QueryPass":
        """Run the whole network."""
        logits, boxes = self.network(self.adapter.padded(inputs, source.padded))
        return QueryPass(self, logits.float(), boxes.float(), source)

    def of_maps(self, outputs: Sequence[Tensor], source: DetectorInput) -> "QueryPass":
        """Run the network, from the maps of its backbone on with gradients."""
        inputs = inputs_of(self.adapter, source, next(self.network.parameters()).device)
        (logits, boxes), maps = recorded_maps(self.network, self.adapter.padded(inputs, source.padded), source)
        return QueryPass(self, logits.float(), boxes.float(), source, maps)

    def _probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)[..., :-1] if self.adapter.rule == "exclusive" else logits.sigmoid()

    def numbers(self, logits: Tensor, label: int) -> Tensor:
        """Return the number for a label of one query, [C]: as a logit and as a probability."""
        return torch.stack([logits[label], self._probabilities(logits)[label]])


@dataclass(frozen=True, slots=True)
class QueryPass:
    """The outputs of a batch, and the maps that they depend on where these were recorded."""

    family: QueryFamily
    logits: Tensor
    boxes: Tensor
    source: DetectorInput
    maps: Sequence[MapPart] = ()

    def read(self, target: BoxTarget, number: int = 0) -> Reading:
        """Read the query of a target."""
        logits, boxes = self.logits[number], self.boxes[number]
        row = self._row(logits.detach(), boxes.detach(), target)
        if target.aspect == "label":
            return Reading(self.family.numbers(logits[row], target.label), self.maps)
        shares = box_convert(boxes[row], "cxcywh", "xyxy")
        return Reading(side_numbers(shares, target.aspect, (1, 1)), self.maps)

    def _row(self, logits: Tensor, boxes: Tensor, target: BoxTarget) -> int:
        assert target.row is not None
        if self.family.adapter.rule == "exclusive":
            return target.row
        # networks of this rule may choose their queries anew for every input, so that numbers change hands
        rows = Rows(_corners(boxes, self.source), logits.sigmoid())
        return rows.best(target.corners, target.label)[0]


def _corners(boxes: Tensor, source: DetectorInput) -> Tensor:
    """Return the corners of boxes [Q, 4] in pixels of the content."""
    corners: Tensor = box_convert(boxes, "cxcywh", "xyxy").clamp(0, 1)
    return corners * corners.new_tensor([*source.size[::-1]] * 2)
