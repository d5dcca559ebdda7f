"""The map alone, in colours."""

from PIL import Image

from explain.pictures.figure import Panel, scale_note
from explain.pictures.subject import Style, Subject
from explain.pictures.view import View
from explain.pictures.visualization import Visualization, single


def _draw(subject: Subject, style: Style) -> Image.Image:
    def panel(image: Image.Image) -> Panel:
        return Panel(image, f"{subject.method} heat map", scale_note(style), style)

    return single(subject, style, View.heat, panel)


VISUALIZATION = Visualization("heatmap", "The heat map alone.", _draw)
