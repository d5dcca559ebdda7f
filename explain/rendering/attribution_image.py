"""What is drawn and how: the values a picture is made of, and the choices of the person who asked for it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.rendering.colours import DEFAULT, DEFAULT_SIGNED
from explain.request.parameter_types import Extent, Sign

_TITLES = {"xrai": "XRAI", "gradcam": "Grad-CAM", "guided_gradcam": "Guided Grad-CAM"}


@dataclass(frozen=True, slots=True)
class FullImage:
    """The picture as it was sent, uint8 [h, w, 3], and where the crop lies in it.

    box: left, top, right, bottom in pixels of that picture, fractions included; it may reach beyond the edges, where
    the network saw padding.
    """

    picture: NDArray[np.uint8]
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AttributionImage:
    """One explained label: the picture as the network saw it, and its attributions.

    picture: uint8 RGB [H, W, 3] in [0, 255]. values: float32 [3, H, W] or [H, W], any range, positive where a pixel
    speaks for the label. confidence: the label's score in [0, 1].
    """

    picture: NDArray[np.uint8]
    values: NDArray[np.float32]
    label: str
    confidence: float
    algorithm: str
    whole: FullImage | None = None

    @property
    def method(self) -> str:
        """The algorithm's name as a title."""
        return _TITLES.get(self.algorithm, self.algorithm.replace("_", " ").capitalize())


@dataclass(frozen=True, slots=True)
class Style:
    """How to draw; every field is the parameter of the same name."""

    visualization: str = "grid"
    colour_map: str | None = None
    sign: Sign = "absolute"
    outlier_percent: float = 2.0
    overlay_opacity: float = 0.5
    extent: Extent = "crop"
    captions: bool = True

    @property
    def colours(self) -> str:
        """The name of the colour map in use."""
        return self.colour_map or (DEFAULT_SIGNED if self.sign == "signed" else DEFAULT)
