"""RequestedBox: a box of the client's as a target, which answers why something was found there, or why it was not."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from explain.errors import ExplanationError
from settings.excerpt import excerpt

EDGES = ("topX", "topY", "bottomX", "bottomY")


class RequestedCorners(BaseModel):
    """The corners of a box, as shares of the image's width and height in [0, 1]."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)

    left: float = Field(ge=0, le=1, alias="topX")
    top: float = Field(ge=0, le=1, alias="topY")
    right: float = Field(ge=0, le=1, alias="bottomX")
    bottom: float = Field(ge=0, le=1, alias="bottomY")


class RequestedBox(BaseModel):
    """A box and the label, or its position, that is asked about."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    box: RequestedCorners
    label: int | str

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom as shares of the image."""
        return self.box.left, self.box.top, self.box.right, self.box.bottom


def check_box(target: Mapping[str, Any]) -> None:
    """Check a target that is an object. Raises ExplanationError, code `box_invalid`, where it is no box."""
    box, label = target.get("box"), target.get("label")
    if set(target) != {"box", "label"} or not isinstance(label, int | str) or isinstance(label, bool) or label == "":
        raise _invalid(target, "a target that is a box has the keys 'box' and 'label', a label or its position")
    if not isinstance(box, Mapping) or set(box) != set(EDGES) or not all(map(_is_share, box.values())):
        raise _invalid(box, f"a box has the keys {', '.join(EDGES)}, each a number from 0 to 1")
    if not (box["topX"] < box["bottomX"] and box["topY"] < box["bottomY"]):
        raise _invalid(box, "topX has to be less than bottomX, and topY less than bottomY")


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1


def _invalid(given: object, expected: str) -> ExplanationError:
    return ExplanationError("box_invalid", f"The target {excerpt(given)} is no box: {expected}.")
