"""The heat map alone."""

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas
from explain.rendering.figure import Panel, scale_note
from explain.rendering.visualization import Visualization, single_panel


def _draw(image: AttributionImage, style: Style) -> Image.Image:
    def panel(painted: Image.Image) -> Panel:
        return Panel(painted, f"{image.algorithm_title} heat map", scale_note(style), style)

    return single_panel(image, style, Canvas.heat if style.captions else Canvas.heat_to_lay_over, panel)


VISUALIZATION = Visualization("heatmap", "The heat map alone.", _draw)
