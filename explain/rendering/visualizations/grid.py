"""Four panels in the hosted original's order: the input, the heat map, both together, the most important pixels."""

from functools import partial

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas, canvas_size
from explain.rendering.figure import Panel, figure, scale_note
from explain.rendering.marks import marked
from explain.rendering.visualization import Visualization

_LONGER_SIDE = 512  # pixels of a panel
_TOP_SHARE = 0.3


def _draw(image: AttributionImage, style: Style) -> Image.Image:
    canvas = Canvas.of(image, style, canvas_size(image, style, _LONGER_SIDE))
    height, width = image.pixels.shape[:2]
    note, on = scale_note(style), partial(marked, marks=image.marks)
    return figure(
        image,
        [
            [
                Panel(on(canvas.image), "Input", f"the network sees {width} x {height} pixels"),
                Panel(on(canvas.heat()), f"{image.algorithm_title} heat map", note, style),
            ],
            [
                Panel(on(canvas.overlay()), f"{image.algorithm_title} on the input", note, style),
                Panel(on(canvas.top(_TOP_SHARE)), "Top 30 % of attributions", "all else is black"),
            ],
        ],
    )


VISUALIZATION = Visualization("grid", "Input, heat map, overlay and the most important 30 % of the pixels.", _draw)
