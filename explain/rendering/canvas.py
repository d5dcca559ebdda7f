"""A subject at the size it is drawn in: picture, heat map and ranks, aligned pixel by pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.colours import colour_table
from explain.rendering.levels import levels, most_important, weights

Box = tuple[int, int, int, int]

_LONGEST = 2048  # a heat map of 224 pixels gains nothing from a picture larger than that
_UNSEEN = (234, 238, 242)


def fitted(subject: AttributionImage, style: Style, side: int | None) -> tuple[int, int]:
    """Return (width, height) of what is shown, its longer side `side`; None keeps its own size, up to a bound."""
    height, width = _shown(subject, style).shape[:2]
    longer = max(width, height)
    scale = (min(longer, _LONGEST) if side is None else side) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a panel is painted from.

    picture: RGB. weight: float32 [H, W] of the crop, as `levels.weights` gives it. level: mode F in [-1, 1], as large
    as `picture`, 0 outside of `box`: the part that the network saw, left, top, right, bottom in pixels of `picture`.
    """

    picture: Image.Image
    weight: NDArray[np.float32]
    level: Image.Image
    box: Box
    style: Style

    def heat(self) -> Image.Image:
        """Colour the levels; what the network did not see is grey."""
        low, span = (-1.0, 2.0) if self.style.sign == "signed" else (0.0, 1.0)
        indices = ((np.asarray(self.level) - low) * (255.0 / span) + 0.5).clip(0.0, 255.0).astype(np.uint8)
        image = Image.fromarray(indices)
        image.putpalette(colour_table(self.style.colours).tobytes())
        return self._within(image.convert("RGB"), Image.new("RGB", self.picture.size, _UNSEEN))

    def overlay(self) -> Image.Image:
        """Lay the heat map over the picture in shades of grey, in which its colours stand out."""
        grey = Image.fromarray(np.asarray(self.picture).mean(axis=2).astype(np.uint8)).convert("RGB")
        return self._within(Image.blend(grey, self.heat(), self.style.overlay_opacity), self.picture)

    def top(self, share: float) -> Image.Image:
        """Keep the most important `share` of the pixels and blacken the others."""
        marked = Image.fromarray(most_important(self.weight, share).astype(np.uint8) * 255)
        enlarged = np.asarray(marked.resize(_size(self.box), Image.Resampling.BILINEAR), dtype=np.float32)
        # as steep again as before it was enlarged: an edge one pixel wide, neither jagged nor soft
        steepness = max(1.0, _size(self.box)[0] / marked.width)
        edged = ((enlarged - 127.5) * steepness + 128.0).clip(0.0, 255.0).astype(np.uint8)
        mask = Image.new("L", self.picture.size)
        mask.paste(Image.fromarray(edged), self.box[:2])
        return Image.composite(self.picture, Image.new("RGB", self.picture.size), mask)

    def enlarged(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring one number for each of the crop's pixels, [H, W], to the size of the picture: [h, w], float32.

        Outside of the crop it is the lowest of them.
        """
        part = Image.fromarray(field).resize(_size(self.box), Image.Resampling.BILINEAR)
        canvas = Image.new("F", self.picture.size, float(field.min()))
        canvas.paste(part, self.box[:2])
        return np.asarray(canvas)

    def _within(self, inside: Image.Image, outside: Image.Image) -> Image.Image:
        if self.box == (0, 0, *self.picture.size):
            return inside
        mask = Image.new("L", self.picture.size)
        mask.paste(255, self.box)
        return Image.composite(inside, outside, mask)


def view(subject: AttributionImage, style: Style, size: tuple[int, int]) -> Canvas:
    """Prepare a subject for drawing in `size`, width and height; ExplanationError as of `levels.weights`."""
    weight = weights(subject.values, style.sign)
    if weight.shape != subject.picture.shape[:2]:
        raise ValueError(f"attributions of {weight.shape} for a picture of {subject.picture.shape[:2]}")
    box = _box(subject, style, size)
    level = Image.new("F", size)
    part = Image.fromarray(levels(weight, style.outlier_percent))
    level.paste(part.resize(_size(box), Image.Resampling.BILINEAR), box[:2])
    picture = Image.fromarray(_shown(subject, style))
    return Canvas(picture.resize(size, Image.Resampling.LANCZOS), weight, level, box, style)


def _shown(subject: AttributionImage, style: Style) -> NDArray[np.uint8]:
    return subject.whole.picture if subject.whole and style.extent == "picture" else subject.picture


def _box(subject: AttributionImage, style: Style, size: tuple[int, int]) -> Box:
    if subject.whole is None or style.extent == "crop":
        return (0, 0, *size)
    height, width = subject.whole.picture.shape[:2]
    left, top, right, bottom = subject.whole.box
    across, down = size[0] / width, size[1] / height
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def _size(box: Box) -> tuple[int, int]:
    return max(1, box[2] - box[0]), max(1, box[3] - box[1])
