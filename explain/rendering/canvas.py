"""Canvas: the image, its heat map and its weights at the size they are drawn in, aligned pixel by pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.colours import colour_table
from explain.rendering.levels import levels, most_important, weights

Box = tuple[int, int, int, int]

_LONGEST_SIDE = 2048  # pixels; a heat map of 224 pixels gains nothing from a larger image
_UNSEEN = (234, 238, 242)


def canvas_size(image: AttributionImage, style: Style, longer_side: int | None) -> tuple[int, int]:
    """Return (width, height) for a canvas with this longer side; None keeps the image's own size, up to 2048 pixels."""
    height, width = _shown(image, style).shape[:2]
    longer = max(width, height)
    scale = (min(longer, _LONGEST_SIDE) if longer_side is None else longer_side) / longer
    return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a panel is painted from.

    - `image`: RGB
    - `weights`: float32 [H, W] of the crop, as `levels.weights` returns them
    - `levels`: mode F in [-1, 1], as large as `image`, 0 outside of `box`
    - `box`: the part that the network saw: left, top, right, bottom in pixels of `image`
    """

    image: Image.Image
    weights: NDArray[np.float32]
    levels: Image.Image
    box: Box
    style: Style

    @classmethod
    def of(cls, image: AttributionImage, style: Style, size: tuple[int, int]) -> "Canvas":
        """Prepare a canvas of `size`, width and height; ExplanationError as of `levels.weights`."""
        own_weights = weights(image.values, style.sign)
        if own_weights.shape != image.pixels.shape[:2]:
            raise ValueError(f"attributions of {own_weights.shape} for a picture of {image.pixels.shape[:2]}")
        box = _box(image, style, size)
        own_levels = Image.new("F", size)
        crop = Image.fromarray(levels(own_weights, style.outlier_percent))
        own_levels.paste(crop.resize(_size(box), Image.Resampling.BILINEAR), box[:2])
        shown = Image.fromarray(_shown(image, style)).resize(size, Image.Resampling.LANCZOS)
        return cls(shown, own_weights, own_levels, box, style)

    def heat(self) -> Image.Image:
        """Colour the levels; what the network did not see is grey."""
        low, span = (-1.0, 2.0) if self.style.sign == "signed" else (0.0, 1.0)
        indices = ((np.asarray(self.levels) - low) * (255.0 / span) + 0.5).clip(0.0, 255.0).astype(np.uint8)
        coloured = Image.fromarray(indices)
        coloured.putpalette(colour_table(self.style.colours).tobytes())
        return self._within(coloured.convert("RGB"), Image.new("RGB", self.image.size, _UNSEEN))

    def heat_to_lay_over(self) -> Image.Image:
        """Colour the levels; what the network did not see is transparent, where there is such a part."""
        heat = self.heat()
        if not self._seen_whole:
            heat.putalpha(self._seen())
        return heat

    def overlay(self) -> Image.Image:
        """Lay the heat map over the image in shades of grey, on which its colours stand out."""
        grey = Image.fromarray(np.asarray(self.image).mean(axis=2).astype(np.uint8)).convert("RGB")
        return self._within(Image.blend(grey, self.heat(), self.style.overlay_opacity), self.image)

    def top(self, share: float) -> Image.Image:
        """Keep the most important `share` of the pixels and blacken the others."""
        marked = Image.fromarray(most_important(self.weights, share).astype(np.uint8) * 255)
        enlarged = np.asarray(marked.resize(_size(self.box), Image.Resampling.BILINEAR), dtype=np.float32)
        # as steep again as before it was enlarged: an edge one pixel wide, neither jagged nor soft
        steepness = max(1.0, _size(self.box)[0] / marked.width)
        edged = ((enlarged - 127.5) * steepness + 128.0).clip(0.0, 255.0).astype(np.uint8)
        mask = Image.new("L", self.image.size)
        mask.paste(Image.fromarray(edged), self.box[:2])
        return Image.composite(self.image, Image.new("RGB", self.image.size), mask)

    def enlarged(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resize one number for each pixel of the crop, [H, W], to the size of the canvas: float32 [h, w].

        Outside of the crop it is the lowest of them.
        """
        crop = Image.fromarray(field).resize(_size(self.box), Image.Resampling.BILINEAR)
        result = Image.new("F", self.image.size, float(field.min()))
        result.paste(crop, self.box[:2])
        return np.asarray(result)

    def _within(self, inside: Image.Image, outside: Image.Image) -> Image.Image:
        return inside if self._seen_whole else Image.composite(inside, outside, self._seen())

    @property
    def _seen_whole(self) -> bool:
        (left, top, right, bottom), (width, height) = self.box, self.image.size
        return left <= 0 and top <= 0 and right >= width and bottom >= height

    def _seen(self) -> Image.Image:
        """Return 255 for each pixel that the network saw, else 0, in mode L."""
        mask = Image.new("L", self.image.size)
        mask.paste(255, self.box)
        return mask


def _shown(image: AttributionImage, style: Style) -> NDArray[np.uint8]:
    return image.full_image.pixels if image.full_image and style.extent == "picture" else image.pixels


def _box(image: AttributionImage, style: Style, size: tuple[int, int]) -> Box:
    if image.full_image is None or style.extent == "crop":
        return (0, 0, *size)
    height, width = image.full_image.pixels.shape[:2]
    left, top, right, bottom = image.full_image.box
    across, down = size[0] / width, size[1] / height
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def _size(box: Box) -> tuple[int, int]:
    return max(1, box[2] - box[0]), max(1, box[3] - box[1])
