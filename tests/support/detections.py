"""The objects that a detector finds in an image, and their comparison with expected ones."""

from collections.abc import Sequence
from typing import Any

from models.detector import Detector
from models.predictions import Boxes
from tests.support.images import LIMITS

Rows = Sequence[tuple[str, float, list[float]]]


def detected(model: Detector, data: bytes, **given: Any) -> list[Any]:
    """What a model says of an encoded image, its inputs taken one by one."""
    picture = model.read(data, LIMITS, model.settings(given))
    prediction = model.combine(picture, [model.outputs([one.data])[0] for one in picture.inputs])
    assert isinstance(prediction, Boxes)
    return prediction.boxes


def predicted(model: Detector, data: bytes, **given: Any) -> Rows:
    """The prediction for an image: label, score and box of each object."""
    return [(one["label"], one["score"], list(one["box"].values())) for one in detected(model, data, **given)]


def assert_alike(found: Rows, expected: Rows, tolerance: float = 1e-4) -> None:
    """Both tell the same objects, in an order that may differ where scores are equal but for rounding."""
    assert len(found) == len(expected)
    left = list(found)
    for label, score, box in expected:
        near = [
            one
            for one in left
            if one[0] == label
            and abs(one[1] - score) <= tolerance
            and max(abs(a - b) for a, b in zip(one[2], box, strict=True)) <= tolerance
        ]
        assert near, (label, score, box)
        left.remove(near[0])
