"""Four panels in the hosted original's order: the input, the heat map, both together, the most important pixels."""

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas, canvas_size
from explain.rendering.figure import Panel, figure, scale_note
from explain.rendering.visualization import Visualization

_LONGER_SIDE = 512  # pixels of a panel
_TOP_SHARE = 0.3


def _draw(image: AttributionImage, style: Style) -> Image.Image:
    canvas = Canvas.of(image, style, canvas_size(image, style, _LONGER_SIDE))
    height, width = image.pixels.shape[:2]
    note = scale_note(style)
    return figure(
        image,
        [
            [
                Panel(canvas.image, "Input", f"the network sees {width} x {height} pixels"),
                Panel(canvas.heat(), f"{image.algorithm_title} heat map", note, style),
            ],
            [
                Panel(canvas.overlay(), f"{image.algorithm_title} on the input", note, style),
                Panel(canvas.top(_TOP_SHARE), "Top 30 % of attributions", "all else is black"),
            ],
        ],
    )


VISUALIZATION = Visualization("grid", "Input, heat map, overlay and the most important 30 % of the pixels.", _draw)
