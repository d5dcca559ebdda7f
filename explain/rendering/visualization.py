"""What every way to show a map has in common. Each of them is one file in visualizations/."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas, fitted, view
from explain.rendering.figure import Panel, figure

_SIDE = 720


@dataclass(frozen=True, slots=True)
class Visualization:
    """`draw` makes the picture, mode RGB; `meaning` says in a sentence what it shows."""

    name: str
    meaning: str
    draw: Callable[[AttributionImage, Style], Image.Image]


def single(
    subject: AttributionImage,
    style: Style,
    paint: Callable[[Canvas], Image.Image],
    panel: Callable[[Image.Image], Panel],
) -> Image.Image:
    """Paint one panel: on paper with its captions, or without them bare and at the picture's own resolution."""
    painted = paint(view(subject, style, fitted(subject, style, _SIDE if style.captions else None)))
    return figure(subject, [[panel(painted)]]) if style.captions else painted
