"""Polygons: the outlines of a mask, as AutoML for Images writes them.

Outer outlines and holes alike are closed polygons of their own; where several cover a point, an even number of them
leaves it outside.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import approximate_polygon, find_contours

_MOST_ROUNDS = 25

Mask = NDArray[np.bool_]


def polygons(mask: Mask, most_points: int, corner: tuple[int, int], size: tuple[int, int]) -> list[list[float]]:
    """Return the outlines of a mask: x, y, x, y and so on, as shares of a picture's width and height in [0, 1].

    `mask` is bool [h, w], the part of a picture of `size` (width, height) that starts at `corner` (x, y); outside,
    nothing is set. Outlines of more than `most_points` points are simplified (Ramer, Douglas and Peucker), by a pixel
    more each time, until they have no more. A mask without a pixel has no outline.
    """
    rows, columns = np.asarray(mask.any(1)), np.asarray(mask.any(0))
    if not rows.any():
        return []
    # only the part that holds something is traced; a margin of nothing closes what touches the edge
    top, left = int(rows.argmax()), int(columns.argmax())
    bottom, right = len(rows) - int(rows[::-1].argmax()), len(columns) - int(columns[::-1].argmax())
    part = np.pad(mask[top:bottom, left:right], 1).astype(np.uint8)
    start = (corner[1] + top, corner[0] + left)
    found = []
    for contour in find_contours(part, 0.5):
        # in the picture's own coordinates before it is simplified, where rounding decides between equal distances
        points = np.ceil(_simplified(contour + start, most_points)) - 1
        found.append((points[:, ::-1] / size).ravel().tolist())
    return found


def _simplified(contour: NDArray[np.float64], most_points: int) -> NDArray[np.float64]:
    for tolerance in range(_MOST_ROUNDS):
        if len(contour) <= most_points:
            break
        contour = approximate_polygon(contour, tolerance)
    return contour
