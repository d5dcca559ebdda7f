"""Polygons: the outlines of a mask, as AutoML for Images writes them.

Outer outlines and holes are separate closed polygons. A point that an even number of them covers is outside.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import approximate_polygon, find_contours

_MOST_ROUNDS = 25  # of simplifying

Mask = NDArray[np.bool_]


def polygons(mask: Mask, most_points: int, corner: tuple[int, int], size: tuple[int, int]) -> list[list[float]]:
    """Return the outlines of a mask: x, y, x, y and so on, as shares of the image's width and height in [0, 1].

    `mask` is bool [h, w]: the part that starts at `corner` (x, y) of an image of `size` (width, height); no pixel is
    set outside. Outlines of more than `most_points` points are simplified (Ramer, Douglas and Peucker) with a
    tolerance that grows by a pixel each round, until they have at most so many. A mask without pixels has no outline.
    """
    rows, columns = np.asarray(mask.any(1)), np.asarray(mask.any(0))
    if not rows.any():
        return []
    # only the part with pixels is traced; an empty margin closes outlines that touch its edge
    top, left = int(rows.argmax()), int(columns.argmax())
    bottom, right = len(rows) - int(rows[::-1].argmax()), len(columns) - int(columns[::-1].argmax())
    part = np.pad(mask[top:bottom, left:right], 1).astype(np.uint8)
    start = (corner[1] + top, corner[0] + left)
    outlines = []
    for contour in find_contours(part, 0.5):
        # simplified in the image's coordinates, as rounding decides between equal distances
        points = np.ceil(_simplified(contour + start, most_points)) - 1
        outlines.append((points[:, ::-1] / size).ravel().tolist())
    return outlines


def _simplified(contour: NDArray[np.float64], most_points: int) -> NDArray[np.float64]:
    for tolerance in range(_MOST_ROUNDS):
        if len(contour) <= most_points:
            break
        contour = approximate_polygon(contour, tolerance)
    return contour
