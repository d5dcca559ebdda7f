"""The map over the picture."""

from PIL import Image

from explain.pictures.figure import Panel, scale_note
from explain.pictures.subject import Style, Subject
from explain.pictures.view import View
from explain.pictures.visualization import Visualization, single


def _draw(subject: Subject, style: Style) -> Image.Image:
    def panel(image: Image.Image) -> Panel:
        return Panel(image, f"{subject.method} on the picture", scale_note(style), style)

    return single(subject, style, View.overlay, panel)


VISUALIZATION = Visualization("overlay", "The heat map over the picture.", _draw)
