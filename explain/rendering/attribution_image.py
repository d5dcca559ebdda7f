"""AttributionImage and Style: what is drawn, and how."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.rendering.colours import DEFAULT, DEFAULT_SIGNED
from explain.rendering.marks import Mark
from explain.request.parameter_types import Extent, Sign

_TITLES = {
    "xrai": "XRAI",
    "gradcam": "Grad-CAM",
    "guided_gradcam": "Guided Grad-CAM",
    "layercam": "LayerCAM",
    "odam": "ODAM",
    "drise": "D-RISE",
    "rise": "RISE",
    "kernel_shap": "KernelSHAP",
    "lime": "LIME",
}


@dataclass(frozen=True, slots=True)
class FullImage:
    """The image as it was sent, uint8 [h, w, 3], and the `box` of the crop in it.

    box: left, top, right, bottom in pixels of this image, fractions included. It may reach beyond the edges, where the
    network saw padding.
    """

    pixels: NDArray[np.uint8]
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AttributionImage:
    """One explained label: the image as the network saw it, and its attributions.

    - `pixels`: uint8 RGB [H, W, 3] in [0, 255]
    - `values`: float32 [3, H, W] or [H, W], any range, positive where a pixel speaks for the label
    - `label`: the title: the label, and what it is explained against
    - `confidence`: the label's score in [0, 1]
    - `marks`: objects to draw over it, for images that were not cropped
    """

    pixels: NDArray[np.uint8]
    values: NDArray[np.float32]
    label: str
    confidence: float
    algorithm: str
    full_image: FullImage | None = None
    marks: Sequence[Mark] = ()

    @property
    def algorithm_title(self) -> str:
        """The algorithm's name as a title."""
        return _TITLES.get(self.algorithm, self.algorithm.replace("_", " ").capitalize())


@dataclass(frozen=True, slots=True)
class Style:
    """How to draw; every field is the explanation parameter of the same name."""

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
