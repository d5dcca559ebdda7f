"""The objects of a reply as `supervision.Detections`, to draw, filter and track them: pip install supervision."""

from collections.abc import Sequence

import numpy as np
import supervision as sv

from examples.clients.client import Detection
from examples.clients.mask import mask_of


def supervision_detections(
    found: Sequence[Detection], size: tuple[int, int], labels: Sequence[str] = ()
) -> sv.Detections:
    """Return the objects of one image of `size` (width, height) in pixels; masks are bool [objects, height, width].

    `class_id` counts `labels`, or where none are given the labels found, in alphabetical order. ValueError where one is
    not among them.
    """
    if not found:
        return sv.Detections.empty()
    names = list(labels) or sorted({one.label for one in found})
    return sv.Detections(
        xyxy=np.array([one.box for one in found], np.float32) * np.array(2 * size, np.float32),
        mask=np.stack([mask_of(one, size) for one in found]) if any(one.polygon for one in found) else None,
        confidence=np.array([one.score for one in found], np.float32),
        class_id=np.array([names.index(one.label) for one in found]),
        data={"class_name": np.array([one.label for one in found])},
    )
