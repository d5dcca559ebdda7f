"""Rows: all that a detector says of an input, before thresholds and suppression, and how a box finds its row.

The similarity is that of D-RISE: Petsiuk et al., Black-box Explanation of Object Detectors via Saliency Maps,
https://arxiv.org/abs/2006.03204.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou

LEAST_IOU = 0.3  # of a row with a client's box

_APART = 10.0  # pixels that count as much as a difference of 1 between scores
_SAME = 0.05  # pixels by which runtimes may move a box


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one input, float32 on one device.

    - `boxes`: [R, 4], or [R, C, 4] where each label has a box of its own: corners in pixels of the input's content
    - `probabilities`: [R, C] in [0, 1], of each label
    - `objectness`: [R] in [0, 1], by which they are multiplied; None where a network has none
    """

    boxes: Tensor
    probabilities: Tensor
    objectness: Tensor | None = None

    def boxes_of(self, label: int) -> Tensor:
        """Return the boxes [R, 4] of a label."""
        return self.boxes[:, label] if self.boxes.dim() == 3 else self.boxes

    def scores(self, label: int) -> Tensor:
        """Return the scores [R] of a label."""
        scores = self.probabilities[:, label]
        return scores if self.objectness is None else scores * self.objectness

    def overlaps(self, corners: Tensor, label: int) -> Tensor:
        """Return the IoU [R] of each row's box of a label with `corners` [4]."""
        overlaps: Tensor = box_iou(corners.to(self.boxes.device)[None], self.boxes_of(label))[0]
        return overlaps.nan_to_num()

    def best(self, corners: Tensor, label: int) -> tuple[int, float]:
        """Return the row that stands for a client's box, and its IoU: the largest product of IoU and score.

        Rows that overlap it by less than LEAST_IOU do not count, so that a likely neighbour is not taken for it. Where
        there are no others, the row with the largest IoU is returned.
        """
        overlaps = self.overlaps(corners, label)
        near = overlaps >= LEAST_IOU
        value = torch.where(near, overlaps * self.scores(label), -1) if near.any() else overlaps
        row = int(value.argmax())
        return row, float(overlaps[row])

    def own(self, corners: Tensor, label: int, score: float) -> tuple[int, float]:
        """Return the row of a box that the network itself replied with this score, and its IoU.

        Distances decide, since a box at the edge of the content may have no area.
        """
        distances = (self.boxes_of(label) - corners.to(self.boxes.device)).abs().amax(1)
        row = int((distances / _APART + (self.scores(label) - score).abs()).argmin())
        return row, 1.0 if float(distances[row]) < _SAME else float(self.overlaps(corners, label)[row])

    def similarity(self, corners: Tensor, label: int, probabilities: Tensor) -> float:
        """Return how well any row matches a target in [0, 1], by its `corners` [4] and `probabilities` [C].

        The similarity of D-RISE: the largest product of IoU, cosine of the probabilities and objectness.
        """
        if not len(self.probabilities):
            return 0.0
        alike = functional.cosine_similarity(self.probabilities, probabilities[None], dim=1)
        value = self.overlaps(corners, label) * alike
        return float((value if self.objectness is None else value * self.objectness).max())
