"""The map over the picture."""

from PIL import Image

from explain.rendering.attribution_image import Style, Subject
from explain.rendering.canvas import View
from explain.rendering.figure import Panel, scale_note
from explain.rendering.visualization import Visualization, single


def _draw(subject: Subject, style: Style) -> Image.Image:
    def panel(image: Image.Image) -> Panel:
        return Panel(image, f"{subject.method} on the picture", scale_note(style), style)

    return single(subject, style, View.overlay, panel)


VISUALIZATION = Visualization("overlay", "The heat map over the picture.", _draw)
