"""Places: the parts of an image that perturbation methods hide one by one or together."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]  # [H, W]: the number of the place that each pixel belongs to, from 0 on, without gaps

_COMPACTNESS = 10.0  # of superpixels: how much nearness counts against colour; the value that scikit-image starts from


def superpixels(pixels: NDArray[np.uint8], count: int) -> Places:
    """Cut an image, uint8 [H, W, 3], into about `count` parts of like colour (SLIC), fewer where it is small."""
    from skimage.segmentation import slic  # here, since importing it takes half a second

    labels = slic(pixels, n_segments=count, compactness=_COMPACTNESS, start_label=0, channel_axis=-1)
    if labels.max() == labels.min():  # in very small images
        return grid(pixels.shape[0], pixels.shape[1], 2)[0]
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int64)


def grid(height: int, width: int, cells: int) -> tuple[Places, tuple[int, int]]:
    """Cut an image into even cells, `cells` along its shorter side; returns the places, and (rows, columns)."""
    side = min(height, width) / min(cells, height, width)
    rows, columns = round(height / side), round(width / side)
    down, across = np.arange(height) * rows // height, np.arange(width) * columns // width
    return down[:, None] * columns + across, (rows, columns)
