"""FigureDrawer: the images of a summary under their maps, as elements of its page."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.drawing.html_page import embedded, escaped
from data.drawing.thumbnail import fitted
from data.headers import LIMITS
from explain.rendering.attribution_image import AttributionImage
from explain.rendering.drawing import style, visualization
from explain.summary.image_maps import Maps, enlarged
from explain.summary.images import SummaryImage
from explain.summary.job import SummaryJob
from explain.summary.label_summary import MappedImage, mean_map
from models.errors import ImageError
from settings.excerpt import counted

_PIXELS = 176  # across and down
_MOST_AVERAGED = 48  # images below a mean map; more do not change a blur


class FigureDrawer:
    """Draws by what the job says about maps."""

    def __init__(self, job: SummaryJob) -> None:
        self._job = job
        self._style = replace(style(job.parameters), visualization="overlay", extent="crop", captions=False)

    def example(self, mapped: MappedImage) -> str:
        """Return an image under its map, with its name and score; a place in red where it cannot be read again."""
        name = escaped(mapped.image.name)
        try:
            drawn = embedded(self._overlay(self._pixels(mapped.image), mapped.values), mapped.image.name)
        except (ImageError, OSError):
            drawn = '<div class="missing">image_unreadable</div>'
        score = f"score {mapped.score:.2f}"
        wrong = ' <span class="fault">other label</span>' if mapped.wrong else ""
        return f'<figure>{drawn}<figcaption>{score}{wrong} <span class="faint">{name}</span></figcaption></figure>\n'

    def mean(self, images: Sequence[MappedImage]) -> str:
        """Return the mean map of images over the mean of some of them."""
        found = []
        for mapped in images[:: max(1, -(-len(images) // _MOST_AVERAGED))]:
            try:
                found.append(self._pixels(mapped.image).astype(np.float32))
            except (ImageError, OSError):
                continue
        side = self._job.model.preprocess.crop
        pixels = np.mean(found, axis=0).astype(np.uint8) if found else np.full((side, side, 3), 128, np.uint8)
        said = f"mean of {counted(len(images), 'map')}"
        picture = embedded(self._overlay(pixels, mean_map(images)), said)
        return f"<figure>{picture}<figcaption>{said}</figcaption></figure>\n"

    def _pixels(self, image: SummaryImage) -> NDArray[np.uint8]:
        return self._job.model.crop(image.file.read_bytes(), LIMITS).numpy()

    def _overlay(self, pixels: NDArray[np.uint8], values: Maps) -> Image.Image:
        small = np.asarray(fitted(Image.fromarray(pixels), (_PIXELS, _PIXELS)))
        shown = AttributionImage(small, enlarged(values, len(small)), "", 0.0, self._job.parameters.algorithm)
        return visualization(self._style.visualization).draw(shown, self._style)
