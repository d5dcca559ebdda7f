"""Four panels in the hosted original's order: what the network saw, the map, both together, what matters most."""

from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.canvas import fitted, view
from explain.rendering.figure import Panel, figure, scale_note
from explain.rendering.visualization import Visualization

_SIDE = 512
_SHARE = 0.3


def _draw(subject: AttributionImage, style: Style) -> Image.Image:
    shown = view(subject, style, fitted(subject, style, _SIDE))
    height, width = subject.picture.shape[:2]
    note = scale_note(style)
    return figure(
        subject,
        [
            [
                Panel(shown.picture, "Input", f"the network sees {width} x {height} pixels"),
                Panel(shown.heat(), f"{subject.method} heat map", note, style),
            ],
            [
                Panel(shown.overlay(), f"{subject.method} on the input", note, style),
                Panel(shown.top(_SHARE), "Top 30 % of attributions", "all else is black"),
            ],
        ],
    )


VISUALIZATION = Visualization("grid", "Input, heat map, overlay and the most important 30 % of the pixels.", _draw)
