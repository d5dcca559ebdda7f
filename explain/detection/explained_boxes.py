"""ExplainedBoxes: one input of a detector as an image to explain, with a number for each target in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from explain.detection.box_target import BoxTarget
from explain.detection.family import DetectorFamily
from explain.network.explained_image import ExplainedImage
from explain.request.parameter_types import OutputName
from models.detection.adapter import DetectorInput


@dataclass(frozen=True, slots=True, eq=False)
class BoxNetwork:
    """An explained network with a number for each of `targets` in inputs of the size of `source`."""

    family: DetectorFamily
    source: DetectorInput
    targets: Sequence[BoxTarget]

    def logits(self, batch: Tensor) -> Tensor:
        """Run inputs, float32 [N, 3, h, w]: the numbers of each target, as a logit and as a probability, [N, K, 2]."""
        forward = self.family.of_inputs(batch, self.source)
        rows = [
            torch.stack([forward.read(target, number).numbers for target in self.targets])
            for number in range(len(batch))
        ]
        return torch.stack(rows)

    def outputs(self, logits: Tensor, output: OutputName) -> Tensor:
        """Choose the kind of number: float32 [N, K]."""
        return logits[..., 0 if output == "logit" else 1].float()


@dataclass(frozen=True, slots=True)
class ExplainedBoxes(ExplainedImage):
    """An input of a detector. Its targets are numbered; `outputs` are those of the scoring pass over it.

    `pixels` and `inputs` show the content without padding.
    """

    family: DetectorFamily = field(kw_only=True)
    source: DetectorInput = field(kw_only=True)
    boxes: tuple[BoxTarget, ...] = field(kw_only=True)
    scored: tuple[Tensor, ...] = field(kw_only=True)
