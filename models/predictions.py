"""What a model predicts for one image, with the names and the order of the wire contract."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from models.labels import Label


@dataclass(frozen=True, slots=True)
class ClassScores:
    """A probability in [0, 1] for every label, both in the order of training."""

    probs: list[float]
    labels: list[Label]


class Corners(TypedDict):
    """The corners of a box, as shares of the image's width and height in [0, 1]."""

    topX: float
    topY: float
    bottomX: float
    bottomY: float


class Object(TypedDict):
    """One object. `polygon` holds its outlines, each x, y, x, y and so on in [0, 1]; `mask` an image in base64."""

    box: Corners
    label: Label
    score: float
    polygon: NotRequired[list[list[float]]]
    mask: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Boxes:
    """The objects in an image."""

    boxes: list[Object]


Prediction = ClassScores | Boxes
