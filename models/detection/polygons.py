"""Polygons: the outlines of a mask, as AutoML for Images writes them.

Outer outlines and holes are separate closed polygons. A point that an even number of them covers is outside.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

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
        contour = approximated(contour, tolerance) if tolerance else contour
    return contour


def approximated(points: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Return a line, float64 [n, 2], without the points that are within a tolerance of what remains: float64 [m, 2].

    By Ramer (1972, https://doi.org/10.1016/S0146-664X(72)80017-0) and Douglas and Peucker. Of points that are equally
    far, the last one stays, as in AutoML for Images: outlines along pixels have many of those, and another choice may
    fill another area.
    """
    kept = np.zeros(len(points), bool)
    kept[[0, -1]] = True
    parts = [(0, len(points) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        distances = _distances(points[first + 1 : last], points[first], points[last])
        farthest = last - 1 - int(distances[::-1].argmax())
        if distances[farthest - first - 1] > tolerance:
            kept[farthest] = True
            parts += [(first, farthest), (farthest, last)]
    return points[kept]


def _distances(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far points [n, 2] are from the straight line between two others: float64 [n]."""
    along, from_start = end - start, points - start
    length = along @ along
    to_start = np.hypot(from_start[:, 0], from_start[:, 1])
    if not length:
        return to_start
    place = from_start @ along / length
    beside = np.abs((from_start[:, 0] * along[1] - from_start[:, 1] * along[0]) / length) * np.hypot(along[0], along[1])
    to_end = np.hypot(points[:, 0] - end[0], points[:, 1] - end[1])
    nearest: NDArray[np.float64] = np.where(place <= 0, to_start, np.where(place >= 1, to_end, beside))
    return nearest
