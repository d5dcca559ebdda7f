"""Cartons: folded boxes seen at an angle, with a gable roof or one slanted top, some with a screw cap."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from examples.fridge.drawing.artwork import draw_artwork
from examples.fridge.drawing.palette import Floats, pale, pixel, printed
from examples.fridge.drawing.solid import OVERSAMPLE, Sprite, finish
from examples.fridge.drawing.view import View, facing

# Pixels by which artwork continues past its panel, so that no fold looks unprinted.
BLEED = 4

Points: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fold:
    """A flat panel in the carton's own axes (x right, y up, z front), in heights of the carton.

    corners: (n, 3). frame: (3, 3), where the artwork's top left, top right and bottom left corners go.
    """

    corners: Points
    frame: Points
    artwork: Floats


@dataclass(frozen=True, slots=True)
class Stand:
    """A carton turned by `turn` radians, `pixels` high, seen in `view`."""

    turn: float
    pixels: int
    view: View

    def rotate(self, points: Points) -> Points:
        """Return points (n, 3) in the viewer's axes."""
        x, y, z = points.T
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        return np.stack([x * cosine + z * sine, y, z * cosine - x * sine], axis=1)

    def place(self, points: Points) -> Points:
        """Return where points (n, 3) fall, (n, 2) in pixels from the foot, y down."""
        x, y, z = self.rotate(points).T
        return np.stack([x, self.view.elevation * z - y], axis=1) * self.pixels

    def brightness(self, corners: Points) -> float:
        """Return the matt brightness of a panel, whether its corners run clockwise or not."""
        normal = np.cross(corners[1] - corners[0], corners[-1] - corners[0])
        x, y, z = self.rotate((normal / np.linalg.norm(normal))[None])[0]
        sign = 1.0 if self.view.elevation * y + z > 0 else -1.0
        x, y, z = (np.float32(sign * part) for part in (x, y, z))
        return float(facing(self.view, np.asarray(x), np.asarray(y), np.asarray(z)))


def draw_carton(rng: np.random.Generator, height: float, view: View) -> Sprite:
    """Return a carton about `height` pixels high."""
    pixels = round(height * OVERSAMPLE)
    turn = rng.uniform(0.25, 1.15) * (1 if rng.random() < 0.5 else -1)
    stand = Stand(turn, pixels, view)
    wide, deep = rng.uniform(0.14, 0.22), rng.uniform(0.14, 0.22)
    build = _gable if rng.random() < 0.8 else _slant
    folds = build(rng, wide, deep, -1.0 if turn > 0 else 1.0)
    places = stand.place(np.concatenate([fold.corners for fold in folds]))
    corner = places.min(axis=0) - OVERSAMPLE - 0.06 * pixels
    width, depth = (int(reach) for reach in places.max(axis=0) - corner + OVERSAMPLE + 0.02 * pixels)
    image = Image.new("RGBA", (width, depth))
    for fold in folds:
        _paint(image, stand, fold, corner)
    if rng.random() < 0.55:
        _screw_cap(rng, image, stand, folds[-1].corners, corner)
    rgba = np.asarray(image, dtype=np.float32) / 255
    foot = (-float(corner[0]), -float(corner[1]))
    spread = float(np.ptp(places[:, 0])) / 2
    return finish(rgba[..., :3], rgba[..., 3], rgba[..., 3] > 0, foot, tilt=rng.normal(0.0, 2.5), spread=spread)


def _panel(artwork: Floats, *corners: tuple[float, float, float]) -> Fold:
    points = np.array(corners)
    return Fold(points, points[[0, 1, -1]], artwork)


def _walls(rng: np.random.Generator, wide: float, deep: float, side: float, heights: tuple[float, float]) -> list[Fold]:
    """Return the side wall and the front wall; `heights` are those of the front and of the back edge."""
    front, back = heights
    x, near, far = side * wide, deep, -deep
    left, right = ((near, front), (far, back)) if side > 0 else ((far, back), (near, front))
    tall = max(heights)
    corners = np.array([(x, left[1], left[0]), (x, right[1], right[0]), (x, 0, right[0]), (x, 0, left[0])])
    frame = np.array([(x, tall, left[0]), (x, tall, right[0]), (x, 0, left[0])])
    face = draw_artwork(rng, (240, round(240 * front / (2 * wide))))
    flank = face if rng.random() < 0.6 else np.broadcast_to(face[-1:, :1], face.shape)
    around = _panel(face, (-wide, front, deep), (wide, front, deep), (wide, 0, deep), (-wide, 0, deep))
    return [Fold(corners, frame, flank), around]


def _gable(rng: np.random.Generator, wide: float, deep: float, side: float) -> list[Fold]:
    fin = rng.uniform(0.055, 0.085)
    ridge = 1.0 - fin
    eaves = ridge - rng.uniform(0.14, 0.22)
    walls = _walls(rng, wide, deep, side, (eaves, eaves))
    paper = walls[1].artwork[:60] if rng.random() < 0.5 else np.broadcast_to(printed(rng), (8, 8, 3))
    x = side * wide
    recess = _panel(0.55 * paper, (x, ridge, 0), (x, eaves, -deep), (x, eaves, deep))
    gable = _panel(0.9 * paper, (0.8 * x, ridge, 0), (x, eaves, -deep), (x, eaves, deep))
    crest = _panel(np.clip(1.08 * paper, 0, 1), (-wide, 1, 0), (wide, 1, 0), (wide, ridge, 0), (-wide, ridge, 0))
    roof = _panel(paper, (-wide, ridge, 0), (wide, ridge, 0), (wide, eaves, deep), (-wide, eaves, deep))
    return [*walls, recess, gable, crest, roof]


def _slant(rng: np.random.Generator, wide: float, deep: float, side: float) -> list[Fold]:
    front = rng.uniform(0.7, 0.82)
    walls = _walls(rng, wide, deep, side, (front, 1.0))
    paper = walls[1].artwork[:60] if rng.random() < 0.5 else np.broadcast_to(printed(rng), (8, 8, 3))
    roof = _panel(paper, (-wide, 1, -deep), (wide, 1, -deep), (wide, front, deep), (-wide, front, deep))
    return [*walls, roof]


def _paint(image: Image.Image, stand: Stand, fold: Fold, corner: Points) -> None:
    places = stand.place(fold.corners) - corner
    origin, right, down = stand.place(fold.frame) - corner
    height, width = fold.artwork.shape[:2]
    axes = np.linalg.inv(np.stack([(right - origin) / width, (down - origin) / height], axis=1))
    shift = BLEED - axes @ origin
    shaded = fold.artwork * stand.brightness(fold.corners) * np.linspace(1.03, 0.93, height)[:, None, None]
    shades = (np.clip(shaded, 0, 1, out=shaded) * 255).astype(np.uint8)
    artwork = Image.fromarray(np.pad(shades, ((BLEED, BLEED), (BLEED, BLEED), (0, 0)), mode="edge"), "RGB")
    coefficients = (axes[0, 0], axes[0, 1], shift[0], axes[1, 0], axes[1, 1], shift[1])
    warped = artwork.transform(image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.NEAREST)
    mask = Image.new("L", image.size)
    outline = [(float(x), float(y)) for x, y in places]
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    image.paste(warped, mask=mask)


def _screw_cap(rng: np.random.Generator, image: Image.Image, stand: Stand, roof: Points, corner: Points) -> None:
    middle = roof.mean(axis=0)
    along, up = roof[1] - roof[0], roof[0] - roof[3]
    along, up = along / np.linalg.norm(along), up / np.linalg.norm(up)
    normal = np.cross(along, up)
    angles = np.linspace(0, 2 * np.pi, 40)[:, None]
    radius, rise = rng.uniform(0.045, 0.06), rng.uniform(0.03, 0.06)
    ring = middle + radius * (np.cos(angles) * along + np.sin(angles) * up)
    shade = printed(rng) if rng.random() < 0.6 else pale(rng)
    draw = ImageDraw.Draw(image)
    for step in np.linspace(0, 1, 14):
        dim = 1.0 if step == 1 else 0.68
        places = stand.place(ring + step * rise * normal) - corner
        draw.polygon([(float(x), float(y)) for x, y in places], fill=(*pixel(dim * shade), 255))
