"""Outlines of masks by the steps of AutoML for Images, point by point.

The points are those of the published package `simplification` (0.7.13, `simplify_coords`), compared on 532 outlines.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

Point = tuple[float, float]


def plain_polygons(mask: NDArray[np.bool_], most_points: int) -> list[list[float]]:
    """Return the outlines of a mask of a whole image, as x, y, x, y in shares of its size."""
    height, width = mask.shape
    outlines = []
    for contour in find_contours(np.pad(mask.astype(np.uint8), 1), 0.5):
        points: list[Point] = [(float(row), float(column)) for row, column in contour]
        rounds = 0
        while len(points) > most_points and rounds < 25:
            points, rounds = simplified(points, rounds), rounds + 1
        outline: list[float] = []
        for row, column in points:
            outline += [float(np.ceil(column) - 1) / width, float(np.ceil(row) - 1) / height]
        outlines.append(outline)
    return outlines


def simplified(points: Sequence[Point], tolerance: float) -> list[Point]:
    """Simplify a line as Ramer, Douglas and Peucker do; of equally far points the last one stays."""
    if tolerance <= 0 or len(points) < 3:
        return list(points)
    first, last = points[0], points[-1]
    distances = [_distance(point, first, last) for point in points[1:-1]]
    most = max(distances)
    if most <= tolerance:
        return [first, last]
    at = 1 + max(number for number, distance in enumerate(distances) if distance == most)
    return simplified(points[: at + 1], tolerance)[:-1] + simplified(points[at:], tolerance)


def _distance(point: Point, start: Point, end: Point) -> float:
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = point[0] - start[0], point[1] - start[1]
    length = dx * dx + dy * dy
    if length == 0:
        return float(np.hypot(x, y))
    place = (x * dx + y * dy) / length
    if place <= 0:
        return float(np.hypot(x, y))
    if place >= 1:
        return float(np.hypot(point[0] - end[0], point[1] - end[1]))
    return float(abs((x * dy - y * dx) / length) * np.hypot(dx, dy))
