"""Spectral clustering of the maps of a label, whose eigengap says how many clusters there are.

As SpRAy does (Lapuschkin et al., Unmasking Clever Hans Predictors, https://arxiv.org/abs/1902.10178), with one other
choice: maps are near each other by how much they overlap, place by place, instead of by their nearest neighbours. Maps
of an object that is elsewhere in each image hardly overlap, those of a watermark do, so that these hold together.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.linalg import eigh
from scipy.sparse.csgraph import laplacian

from explain.summary.image_maps import SIDE

Features = NDArray[np.float32]
"""[n, CELLS * CELLS], rows of length 1, none of them negative: the product of two is how much their maps overlap."""

CELLS = 16
MOST_CLUSTERS = 8

_MOST_CLUSTERED = 1500  # maps; their similarities and eigenvectors take seconds and 50 MB
# Of similarities: what overlaps by half is hardly similar. With less, a mark on a fifth of the images is often missed;
# clusters that are too many do no harm where each is compared with other labels afterwards
_SHARPNESS = 4
_LEAST = 1e-6  # similarity, so that a map which overlaps with no other is no fault
_ROUNDS = 100


def features(maps: NDArray[np.floating]) -> Features:
    """Return what is compared of maps [n, SIDE, SIDE] that are not 0 everywhere.

    Each is averaged over CELLS x CELLS cells, and what is below its mean left out, which a smooth map has everywhere.
    The rest, as shares of its sum, becomes a row of square roots, whose products are Bhattacharyya coefficients: 1 for
    maps that are alike, 0 for those that have no cell in common.
    """
    step = SIDE // CELLS
    cells = maps.astype(np.float32).reshape(-1, CELLS, step, CELLS, step).mean((2, 4)).reshape(-1, CELLS**2)
    cells -= np.minimum(cells.mean(1, keepdims=True), 0.999 * cells.max(1, keepdims=True))
    cells = np.sqrt(cells.clip(0))
    return np.asarray(cells / np.linalg.norm(cells, axis=1, keepdims=True), np.float32)


def centre(rows: Features) -> Features:
    """Return the row in the middle of some, of length 1: [CELLS * CELLS]."""
    middle = rows.mean(0)
    return np.asarray(middle / np.linalg.norm(middle), np.float32)


def clusters(rows: Features) -> NDArray[np.intp]:
    """Return the number of the cluster of each row, [n], from 0; they are all 0 where nothing parts the rows.

    Of many rows the first 1,500 are clustered, and others belong to the cluster whose centre is nearest. The same rows
    give the same clusters.
    """
    first = rows[:_MOST_CLUSTERED]
    found = _clustered(first.astype(np.float64))
    if len(first) == len(rows):
        return found
    centres = np.stack([centre(first[found == number]) for number in range(found.max() + 1)])
    nearest = (rows[len(first) :] @ centres.T).argmax(1)
    return np.concatenate([found, nearest])


def _clustered(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    most = min(MOST_CLUSTERS, len(rows) - 2)
    if most < 2:
        return np.zeros(len(rows), np.intp)
    similarity = (rows @ rows.T).clip(_LEAST, 1) ** _SHARPNESS
    np.fill_diagonal(similarity, 0)
    values, vectors = eigh(laplacian(similarity, normed=True), subset_by_index=[0, most])
    count = int(np.diff(values).argmax()) + 1
    if count == 1:
        return np.zeros(len(rows), np.intp)
    spread = vectors[:, :count]
    return _nearest_centres(spread / np.linalg.norm(spread, axis=1, keepdims=True), count)


def _nearest_centres(points: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Run k-means from points that are far from each other, as Ng, Jordan and Weiss do, and so without chance.

    On Spectral Clustering, https://papers.nips.cc/paper/2092-on-spectral-clustering-analysis-and-an-algorithm
    """
    centres = points[:1]
    while len(centres) < count:
        farthest = (points @ centres.T).max(1).argmin()
        centres = np.concatenate([centres, points[farthest : farthest + 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a cluster has become empty, which is left out
        _, numbers = kmeans2(points, centres, _ROUNDS, minit="matrix")
    return np.unique(numbers, return_inverse=True)[1]
