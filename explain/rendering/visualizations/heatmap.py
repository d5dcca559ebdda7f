"""The map alone, in colours."""

from PIL import Image

from explain.rendering.attribution_image import Style, Subject
from explain.rendering.canvas import View
from explain.rendering.figure import Panel, scale_note
from explain.rendering.visualization import Visualization, single


def _draw(subject: Subject, style: Style) -> Image.Image:
    def panel(image: Image.Image) -> Panel:
        return Panel(image, f"{subject.method} heat map", scale_note(style), style)

    return single(subject, style, View.heat, panel)


VISUALIZATION = Visualization("heatmap", "The heat map alone.", _draw)
