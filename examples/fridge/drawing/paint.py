"""Lay a placed sprite and its shadow over a canvas, in place."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from examples.fridge.drawing.arrangement import Placed
from examples.fridge.drawing.palette import Floats
from examples.fridge.drawing.view import View


def lay_over(canvas: Floats, placed: Placed) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Paint a sprite into the canvas (H, W, 3) float32; return the rows and columns of the pixels it covers."""
    height, width = canvas.shape[:2]
    left, top, right, bottom = placed.rectangle
    x, y = max(left, 0), max(top, 0)
    window = (slice(y - top, min(bottom, height) - top), slice(x - left, min(right, width) - left))
    sprite = placed.piece.sprite
    cover, opacity = sprite.cover[window], sprite.opacity[window][..., None]
    behind = canvas[y : y + cover.shape[0], x : x + cover.shape[1]]
    # A full bottle is a lens: it mirrors what lies behind it.
    seen = behind + 0.6 * cover[..., None] * (behind[:, ::-1] - behind) if sprite.clear else behind
    behind[:] = seen * (1.0 - opacity) + sprite.colour[window] * opacity
    rows, columns = np.nonzero(cover >= 0.5)
    return rows + y, columns + x


def lay_shadow(canvas: Floats, placed: Placed, view: View) -> None:
    """Darken the floor under and beside a sprite, away from the light."""
    sprite, light = placed.piece.sprite, view.light
    reach = sprite.spread
    flat = max(view.elevation, 0.1) * reach
    wide, tall = int(reach * 6), int(flat * 6)
    image = Image.new("L", (wide, tall))
    draw = ImageDraw.Draw(image)
    middle_x, middle_y = wide / 2, tall / 2
    for shift, size, strength in ((-1.1 * light[0], 1.25, 70), (-0.35 * light[0], 1.15, 120)):
        x, y = middle_x + shift * reach, middle_y - 0.3 * flat
        draw.ellipse((x - size * reach, y - size * flat, x + size * reach, y + size * flat), fill=strength)
    depth = np.asarray(image.filter(ImageFilter.GaussianBlur(max(reach * 0.09, 0.5))), dtype=np.float32) / 255
    depth *= (1.35 - view.ambient) * (0.6 if sprite.clear else 1.0)
    left = round(placed.corner[0] + sprite.foot[0] - middle_x)
    top = round(placed.corner[1] + sprite.foot[1] - middle_y)
    x, y = max(left, 0), max(top, 0)
    floor = canvas[y : max(top + tall, 0), x : max(left + wide, 0)]
    floor *= 1.0 - depth[y - top : y - top + floor.shape[0], x - left : x - left + floor.shape[1], None]
