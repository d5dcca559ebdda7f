"""Lines around the most important pixels, which leave the image itself visible."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas
from explain.rendering.figure import Panel
from explain.rendering.levels import most_important
from explain.rendering.visualization import Visualization, single_panel

# distinct in hue, in lightness and in print; the outermost first, so that inner lines stay on top
_LINES = ((0.3, (64, 156, 255)), (0.2, (255, 196, 0)), (0.1, (255, 255, 255)))
_EDGE = (20, 20, 20)


def _paint(canvas: Canvas) -> Image.Image:
    unit = max(1.0, max(canvas.image.size) / 360)  # line width in pixels
    field = _softened(canvas.weights, max(canvas.weights.shape) / 50)
    enlarged = canvas.enlarged(field)
    painted = canvas.image
    for share, colour in _LINES:
        distance = _distance(enlarged > _threshold(field, share), radius=2.0 * unit)
        for ink, width in ((_EDGE, 2.2 * unit), (colour, unit)):
            strength = ((width / 2 + 0.5 - distance).clip(0.0, 1.0) * 255.0).astype(np.uint8)
            painted = Image.composite(Image.new("RGB", painted.size, ink), painted, Image.fromarray(strength))
    return painted


def _softened(weights: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """Average each pixel of [H, W] with its neighbours: lines around single noisy pixels would be useless."""
    span = 2 * max(1, round(radius)) + 1
    soft = weights.astype(np.float64)
    for axis in (0, 1, 0, 1):  # twice, for round corners
        padding = [(span // 2 + 1, span // 2) if axis == other else (0, 0) for other in (0, 1)]
        sums = np.pad(soft, padding, mode="edge").cumsum(axis=axis)
        size = soft.shape[axis]
        soft = (sums.take(range(span, span + size), axis) - sums.take(range(size), axis)) / span
    return soft.astype(np.float32)


def _threshold(field: NDArray[np.float32], share: float) -> float:
    """Return a number between the most important `share` of a field, [H, W], and the rest; infinite if nothing is."""
    marked = most_important(field, share)
    return (float(field[marked].min()) + float(field[~marked].max())) / 2 if marked.any() else float("inf")


def _distance(marked: NDArray[np.bool_], radius: float) -> NDArray[np.float32]:
    """Estimate each pixel's distance to the edge of a selection, bool [h, w], in pixels: float32 [h, w].

    A blurred edge falls off evenly, so near the edge the distance is the difference from one half, over the slope.
    """
    blurred = Image.fromarray(marked.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(radius))
    slope = 255.0 / (radius * np.sqrt(2.0 * np.pi))
    distance: NDArray[np.float32] = np.abs(np.asarray(blurred, dtype=np.float32) - 127.5) / np.float32(slope)
    return distance


def _draw(image: AttributionImage, style: Style) -> Image.Image:
    lines = [(colour, f"top {share * 100:.0f} %") for share, colour in reversed(_LINES)]
    panel = partial(
        Panel, title=f"{image.algorithm_title} on the picture", note="around the most important pixels", lines=lines
    )
    return single_panel(image, style, _paint, panel)


VISUALIZATION = Visualization("contours", "Lines around the most important 10, 20 and 30 % of the pixels.", _draw)
