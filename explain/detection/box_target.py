"""BoxTarget: one object that is explained, as the numbers of the network that stand for it."""

from dataclasses import dataclass

from torch import Tensor

from explain.request.parameter_types import Aspect


@dataclass(frozen=True, slots=True, eq=False)
class BoxTarget:
    """What is explained of one object in one input.

    - `label`: the index of its label
    - `corners`: float32 [4] on the CPU: left, top, right, bottom in pixels of the input's content
    - `score`: in [0, 1]; that of the reply, or what the network says of a box that the client gave
    - `position`: in the boxes of the reply; None for a client's box
    - `row`: the row of the network that stands for it, see `Rows`; None where the box itself is pooled
    - `matched_iou`: the overlap of that row with the box
    - `probabilities`: float32 [C], what the nearest row says of each label; None where no algorithm asks for it
    - `aspect`: what is explained
    - `cells`: of the mask, bool [M, M] or [h, w]: those whose mean is explained as the aspect `mask`
    - `notes`: sentences for people
    """

    label: int
    corners: Tensor
    score: float
    position: int | None = None
    row: int | None = None
    matched_iou: float = 1.0
    probabilities: Tensor | None = None
    aspect: Aspect = "label"
    cells: Tensor | None = None
    notes: tuple[str, ...] = ()
