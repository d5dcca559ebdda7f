"""Things that belong to no class: fruit, plain boxes, balls, hanging cloths and framed prints."""

import numpy as np
from PIL import Image, ImageDraw

from examples.fridge.drawing.artwork import draw_artwork
from examples.fridge.drawing.palette import Floats, contrasting, muted, pixel, printed
from examples.fridge.drawing.solid import OVERSAMPLE, Sprite, finish
from examples.fridge.drawing.view import View, facing


def draw_clutter(rng: np.random.Generator, height: float, view: View) -> Sprite:
    """Return one thing that stands on the floor, about `height` pixels high."""
    return _fruit(rng, height, view) if rng.random() < 0.55 else _box(rng, height, view)


def _fruit(rng: np.random.Generator, height: float, view: View) -> Sprite:
    """A ball, an egg or a fruit: an ellipsoid with a highlight."""
    tall = round(height * OVERSAMPLE)
    wide = round(tall * rng.uniform(0.85, 1.35))
    y, x = np.mgrid[-1.08 : 1.08 : tall * 1j, -1.08 : 1.08 : wide * 1j].astype(np.float32)
    inside = x**2 + y**2 < 1.0
    depth = np.sqrt(np.maximum(1.0 - x**2 - y**2, 0.0))
    shade = facing(view, x, -y, depth)
    gloss = np.exp(-((x - 0.6 * view.light[0]) ** 2 + (y + 0.6 * view.light[1]) ** 2) / rng.uniform(0.01, 0.12))
    skin = printed(rng)
    if rng.random() < 0.4:
        seam = np.sin(rng.uniform(3, 9) * (x * rng.uniform(-1, 1) + y) + 2.0 * depth) > 0.3
        skin = np.where(seam[..., None], skin, printed(rng))
    colour = np.asarray(skin * shade[..., None] + rng.uniform(0.05, 0.6) * gloss[..., None], dtype=np.float32)
    return finish(colour, np.ones_like(x), inside, (wide / 2, tall * 0.94), tilt=rng.uniform(-8, 8), spread=wide * 0.3)


def _box(rng: np.random.Generator, height: float, view: View) -> Sprite:
    """A low box seen from the front with its lid in sight, so that no fold or gable suggests a carton."""
    tall = round(height * OVERSAMPLE)
    wide = round(tall * rng.uniform(1.1, 2.2))
    lid = max(2, round(tall * view.elevation * rng.uniform(0.5, 1.2)))
    front = (
        draw_artwork(rng, (wide, tall)) if rng.random() < 0.5 else np.ones((tall, wide, 3), np.float32) * printed(rng)
    )
    level, zero = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    face = front * facing(view, level, level, zero)[..., None]
    roof = front[:1] * facing(view, level, zero, level)[..., None]
    colour = np.concatenate([np.broadcast_to(roof, (lid, wide, 3)), face]).astype(np.float32)
    cover = np.ones(colour.shape[:2], dtype=np.bool_)
    taper = (np.arange(lid)[::-1, None] * 0.6) > np.minimum(np.arange(wide), np.arange(wide)[::-1])
    cover[:lid] = ~taper
    return finish(
        colour, np.ones(cover.shape, np.float32), cover, (wide / 2, float(lid + tall)), tilt=0.0, spread=wide * 0.5
    )


def hang_clutter(rng: np.random.Generator, canvas: Floats, horizon: float) -> Floats:
    """Return the canvas with up to three flat things on its wall: frames, circles or striped cloths."""
    height, width = canvas.shape[:2]
    image = Image.fromarray((canvas * 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 4))):
        x, y = width * rng.random(), height * horizon * rng.uniform(0.1, 0.9)
        across, down = height * rng.uniform(0.04, 0.16), height * horizon * rng.uniform(0.1, 0.4)
        corners = (x - across, max(y - down, 0.0), x + across, min(y + down, height * horizon))
        ground = muted(rng)
        kind = int(rng.integers(3))
        if kind == 0:
            draw.ellipse((x - across, y - across, x + across, y + across), fill=pixel(ground))
        elif kind == 1:
            draw.rectangle(corners, fill=pixel(ground), outline=pixel(0.5 * ground), width=max(1, height // 120))
        else:
            draw.rectangle(corners, fill=pixel(ground))
            stripe = pixel(contrasting(rng, ground))
            for level in np.arange(corners[1], corners[3], height * rng.uniform(0.02, 0.05)):
                draw.rectangle((corners[0], level, corners[2], level + height * 0.008), fill=stripe)
    return np.asarray(image, dtype=np.float32) / 255
