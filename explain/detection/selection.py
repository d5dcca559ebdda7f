"""Which boxes of an image to explain: those of the reply that a request names, or boxes of the client's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.errors import ExplanationError
from explain.request.label_positions import label_position
from explain.request.parameters import ExplanationParameters
from explain.request.requested_box import RequestedBox
from models.detection.instances import Instances
from models.labels import Label
from settings.excerpt import counted

_MOST = 100  # targets


@dataclass(frozen=True, slots=True)
class SelectedBox:
    """A box to explain: `corners` [4] (left, top, right, bottom) as shares of the image, and the index of its label.

    `position` is that in the reply, `owner` the input in which it was found, and `score` its score; None for a box of
    the client's.
    """

    corners: NDArray[np.float64]
    label: int
    position: int | None = None
    owner: int | None = None
    score: float | None = None


def selected_boxes(parameters: ExplanationParameters, found: Instances, labels: Sequence[Label]) -> list[SelectedBox]:
    """Select the boxes that a request asks for, in its order, at most 100; without a target the best ones.

    Raises ExplanationError, code `target_unknown`, for a position that no box has and a text that is no label.
    """
    if parameters.target is None:
        return [_of_reply(found, position) for position in range(min(parameters.top_k or 1, len(found.scores)))]
    selected: list[SelectedBox] = []
    for target in parameters.target:
        if isinstance(target, RequestedBox):
            selected.append(SelectedBox(np.array(target.corners), label_position(target.label, labels)))
        elif isinstance(target, int):
            selected.append(_of_reply(found, _position(target, len(found.scores))))
        else:
            of_label = np.flatnonzero(found.labels == label_position(target, labels))
            selected += [_of_reply(found, int(position)) for position in of_label]
    return selected[:_MOST]


def check_labels(parameters: ExplanationParameters, labels: Sequence[Label]) -> None:
    """Check the labels that a request names, before anything runs; ExplanationError as of `selected_boxes`."""
    for target in parameters.target or ():
        if isinstance(target, RequestedBox):
            label_position(target.label, labels)
        elif isinstance(target, str):
            label_position(target, labels)


def _position(target: int, count: int) -> int:
    if target < count:
        return target
    has = counted(count, "box").replace("boxs", "boxes")
    known = (
        f"Give a number from 0 to {count - 1}, a label, or a box of your own." if count else "Give a box of your own."
    )
    raise ExplanationError("target_unknown", f"The target {target} is no box of the reply, which has {has}. {known}")


def _of_reply(found: Instances, position: int) -> SelectedBox:
    return SelectedBox(
        found.boxes[position],
        int(found.labels[position]),
        position,
        int(found.owners[position]),
        float(found.scores[position]),
    )
