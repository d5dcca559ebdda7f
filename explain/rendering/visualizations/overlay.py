"""The map over the picture."""

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import Canvas
from explain.rendering.figure import Panel, scale_note
from explain.rendering.visualization import Visualization, single


def _draw(subject: AttributionImage, style: Style) -> Image.Image:
    def panel(image: Image.Image) -> Panel:
        return Panel(image, f"{subject.method} on the picture", scale_note(style), style)

    return single(subject, style, Canvas.overlay, panel)


VISUALIZATION = Visualization("overlay", "The heat map over the picture.", _draw)
