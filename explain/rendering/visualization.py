"""Visualization: a way to show attributions, as one file in `explain/rendering/visualizations/` defines it."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas, canvas_size
from explain.rendering.figure import Panel, figure
from explain.rendering.marks import marked

_LONGER_SIDE = 720  # pixels


@dataclass(frozen=True, slots=True)
class Visualization:
    """`draw` returns an image in mode RGB or RGBA; `meaning` says in a sentence what it shows."""

    name: str
    meaning: str
    draw: Callable[[AttributionImage, Style], Image.Image]


def single_panel(
    image: AttributionImage,
    style: Style,
    paint: Callable[[Canvas], Image.Image],
    panel: Callable[[Image.Image], Panel],
) -> Image.Image:
    """Paint one panel: on paper with captions, or bare and at the image's own resolution without them."""
    size = canvas_size(image, style, _LONGER_SIDE if style.captions else None)
    painted = marked(paint(Canvas.of(image, style, size)), image.marks)
    return figure(image, [[panel(painted)]]) if style.captions else painted
