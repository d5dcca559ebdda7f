"""LayerCAM: where the maps of several layers, from fine to coarse, speak for a target.

Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, IEEE TIP 2021,
https://doi.org/10.1109/TIP.2021.3089943. Attributions are [H, W], in [0, 1]: the map of each layer, divided by its
maximum, and of all of them the largest value at each place.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from explain.layered_maps import layered_algorithm
from explain.network.cam import resized
from explain.network.explained_image import ExplainedImage
from explain.request.parameters import ExplanationParameters


def _joined(maps: Sequence[Tensor], image: ExplainedImage, parameters: ExplanationParameters) -> Tensor:
    """Join the maps [h, w] of all layers to [H, W]."""
    height, width = image.pixels.shape[:2]
    # gradients of different layers have different sizes, so each map counts by its own maximum
    scaled = [heat / heat.max() if heat.any() else heat for heat in maps]
    return torch.stack([resized(heat, height, width, parameters.interpolation) for heat in scaled]).amax(0)


ALGORITHM = layered_algorithm("layercam", "cam_layers", _joined)
