"""Occlusion: by how much the score falls while a window that slides over the image hides a place.

Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, https://arxiv.org/abs/1311.2901, as captum
computes it. Attributions are [H, W]: the mean over the windows that hide a cell of a 16 x 16 grid.
"""

from torch import Tensor

from explain.perturbation.captum_methods import AT_ONCE, CELLS, CaptumMethod, Forward, captum_algorithm
from explain.request.parameters import ExplanationParameters

_WINDOW = 3  # cells along each side


def _attribute(forward: Forward, visible: Tensor, n_samples: int) -> Tensor:
    from captum.attr import Occlusion  # here, as in all these files, since importing captum takes a second

    window = tuple(min(_WINDOW, side) for side in visible.shape[2:])
    values: Tensor = Occlusion(forward).attribute(
        visible, sliding_window_shapes=(1, *window), strides=1, baselines=0, perturbations_per_eval=AT_ONCE
    )
    return values


def _passes(parameters: ExplanationParameters) -> int:
    return 1 + (CELLS - _WINDOW + 1) ** 2  # of a square image


ALGORITHM = captum_algorithm("occlusion", CaptumMethod(_attribute, on_grid=True), _passes)
