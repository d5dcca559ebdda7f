"""yolov5: a row is an anchor in a cell of one of three grids, with an objectness of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_convert

from explain.detection.box_target import BoxTarget
from explain.detection.family import BOX_ASPECTS, MapPart, Reading, clipped, inputs_of, side_numbers
from explain.detection.rows import Rows
from explain.request.parameter_types import Aspect
from models.detection.adapter import DetectorInput
from models.detection.yolov5_adapter import YoloAdapter
from models.images.letterbox import corner
from models.networks.yolov5 import YoloV5

_OBJECTNESS, _LABELS = 4, 5  # places among the values of a row


@dataclass(frozen=True, slots=True)
class YoloFamily:
    """YoloV5. Its head looks at one place of a map, so the maps before its neck are those that show what counted."""

    network: YoloV5
    adapter: YoloAdapter
    aspects: frozenset[Aspect] = BOX_ASPECTS
    pools_box: bool = False
    extra_passes: int = 1

    def rows(self, outputs: Sequence[Tensor], source: DetectorInput) -> Rows:
        """Return a row for each anchor in each cell."""
        decoded = self.network.head.decode(self.network.head(outputs))[0]
        return Rows(_corners(decoded, source, clip=True), decoded[:, _LABELS:], decoded[:, _OBJECTNESS])

    def cells(self, outputs: Sequence[Tensor], source: DetectorInput, target: BoxTarget) -> Tensor:
        """Return nothing: there are no masks."""
        return outputs[0].new_zeros(0, dtype=torch.bool)

    def of_inputs(self, inputs: Tensor, source: DetectorInput) -> "YoloPass":
        """Run the whole network."""
        stages = self.network.stages(self.adapter.padded(inputs, source.padded))
        return YoloPass(self.network, stages, source)

    def of_maps(self, outputs: Sequence[Tensor], source: DetectorInput) -> "YoloPass":
        """Run the backbone, and then neck and head on maps that need gradients."""
        with torch.no_grad():
            inputs = inputs_of(self.adapter, source, next(self.network.parameters()).device)
            stages = self.network.stages(self.adapter.padded(inputs, source.padded))
        return YoloPass(self.network, [each.detach().requires_grad_() for each in stages], source)


class YoloPass:
    """The numbers of a batch, and the three maps of the backbone that they come from."""

    def __init__(self, network: YoloV5, stages: Sequence[Tensor], source: DetectorInput) -> None:
        grids = network.head(network.neck(stages))
        self._raw = torch.cat([grid.flatten(1, 3) for grid in grids], 1)
        self._decoded = network.head.decode(grids)
        self._stages, self._source = stages, source

    def read(self, target: BoxTarget, number: int = 0) -> Reading:
        """Read the row of a target: the logarithm of its score, or a side of its box."""
        assert target.row is not None
        maps = [MapPart(stage, self._covered(), lambda values: values[number]) for stage in self._stages]
        if target.aspect == "label":
            values = self._raw[number, target.row]
            logit = functional.logsigmoid(values[_OBJECTNESS]) + functional.logsigmoid(values[_LABELS + target.label])
            return Reading(torch.stack([logit, logit.exp()]), maps)
        corners = _corners(self._decoded[number, target.row][None], self._source, clip=False)[0]
        return Reading(side_numbers(corners, target.aspect, self._source.size), maps)

    def _covered(self) -> tuple[float, float, float, float]:
        top, left = corner(self._source.size, self._source.padded)
        return (-left, -top, self._source.padded[1] - left, self._source.padded[0] - top)


def _corners(decoded: Tensor, source: DetectorInput, *, clip: bool) -> Tensor:
    """Return the corners of decoded rows, [R, 4], in pixels of the content; inside of it, if `clip`."""
    top, left = corner(source.size, source.padded)
    corners: Tensor = box_convert(decoded[:, :4], "cxcywh", "xyxy") - decoded.new_tensor([left, top] * 2)
    return clipped(corners, source.size) if clip else corners
