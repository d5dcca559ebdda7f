"""The heat map over the image."""

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas
from explain.rendering.figure import Panel, scale_note
from explain.rendering.visualization import Visualization, single_panel


def _draw(image: AttributionImage, style: Style) -> Image.Image:
    def panel(painted: Image.Image) -> Panel:
        return Panel(painted, f"{image.algorithm_title} on the picture", scale_note(style), style)

    return single_panel(image, style, Canvas.overlay, panel)


VISUALIZATION = Visualization("overlay", "The heat map over the image.", _draw)
