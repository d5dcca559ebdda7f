"""Draws solids of revolution seen from a little above, and finishes every object as a sprite.

Objects are drawn twice as large, tilted, and averaged down, which makes their edges smooth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from examples.fridge.drawing.palette import Floats
from examples.fridge.drawing.view import View, facing

OVERSAMPLE = 2
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Sprite:
    """A finished object, ready to be laid over an image.

    colour: (h, w, 3) float32 in [0, 1]; opacity: (h, w) float32 in [0, 1], below 1 where the object is translucent.
    cover: (h, w) float32 in [0, 1], the share of each pixel that belongs to the object, glass included.
    foot: (x, y) in pixels from the sprite's top left, the middle of the ground the object stands on.
    spread: half the width of that ground in pixels. clear: whether the object bends the light behind it.
    """

    colour: Floats
    opacity: Floats
    cover: Floats
    foot: tuple[float, float]
    spread: float
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Surface:
    """The part of a solid of revolution at each pixel; every array has shape (h, w).

    cover: bool, on the solid. top: bool, on the flat disc that closes it at the top (not part of cover).
    level: height along the axis, 0 at the top and 1 at the foot. turn: sine of the angle around the axis, -1 at
    the left edge and 1 at the right. slope: growth of the radius per step down. across, away: place on the top
    disc, in radii to the right of and behind its middle.
    """

    cover: NDArray[np.bool_]
    top: NDArray[np.bool_]
    level: Floats
    turn: Floats
    slope: Floats
    across: Floats
    away: Floats
    foot: tuple[float, float]


def revolve(profile: Sequence[tuple[float, float]], pixels: int, view: View, margin: float = 0.0) -> Surface:
    """Turn a profile around the vertical axis and project it.

    profile: (level, radius) pairs from the top to the foot, both in heights of the solid. pixels: the height
    drawn. margin: room left at either side, in heights.
    """
    levels, radii = _outline(profile, 2 * pixels)
    columns = int(np.ceil((radii.max() + margin) * pixels)) + OVERSAMPLE
    offsets = (np.arange(columns, dtype=np.float32) + 0.5) / pixels
    drop = view.elevation * np.sqrt(np.maximum(radii[:, None] ** 2 - offsets**2, 0.0))
    head = view.elevation * float(radii[0]) + OVERSAMPLE / pixels
    landing = (np.maximum.accumulate(head + levels[:, None] + drop, axis=0) * pixels).astype(np.int32)
    height = int(landing.max()) + 2 * OVERSAMPLE
    slices = np.zeros((height, columns), dtype=np.int32)
    slices[landing, np.arange(columns)] = np.arange(len(levels), dtype=np.int32)[:, None]
    slices = np.maximum.accumulate(slices, axis=0)
    rows = np.arange(height, dtype=np.int32)[:, None]
    cover = (radii[slices] > offsets) & (rows >= landing[0]) & (rows <= landing[-1])
    slices, cover = _mirror(slices), _mirror(cover)
    signed = np.concatenate([-offsets[::-1], offsets])
    across = np.broadcast_to(signed / radii[0], slices.shape).astype(np.float32)
    away = ((head - (rows + 0.5) / pixels) / (view.elevation * radii[0])).astype(np.float32)
    return Surface(
        cover=cover,
        top=(across**2 + away**2 <= 1.0) & ~cover,
        level=levels[slices],
        turn=np.clip(signed / np.maximum(radii[slices], 1e-4), -1.0, 1.0).astype(np.float32),
        slope=np.gradient(radii, levels).astype(np.float32)[slices],
        across=across,
        away=np.broadcast_to(away, slices.shape),
        foot=(float(columns), (head + 1.0) * pixels),
    )


def _outline(profile: Sequence[tuple[float, float]], count: int) -> tuple[Floats, Floats]:
    knots = np.array(profile, dtype=np.float32)
    levels = np.linspace(0.0, 1.0, count, dtype=np.float32)
    radii = np.interp(levels, knots[:, 0], knots[:, 1])
    # Slightly rounded corners distinguish moulded glass and pressed metal from folded paper.
    window = max(3, count // 60) | 1
    padded = np.pad(radii, window // 2, mode="edge")
    return levels, np.convolve(padded, np.full(window, 1.0 / window), mode="valid").astype(np.float32)


def _mirror(half: NDArray[Kind]) -> NDArray[Kind]:
    return np.concatenate([half[:, ::-1], half], axis=1)


def lit(surface: Surface, view: View) -> Floats:
    """Return the matt brightness of the side of a solid, (h, w) float32."""
    steep = 1.0 / np.sqrt(1.0 + surface.slope**2)
    depth = np.sqrt(1.0 - surface.turn**2)
    return facing(view, surface.turn * steep, surface.slope * steep, depth * steep)


def streak(surface: Surface, view: View, width: float) -> Floats:
    """Return a glossy highlight down the side that faces the light, (h, w) float32 in [0, 1]."""
    centre = 0.75 * view.light[0]
    return np.exp(-(((surface.turn - centre) / width) ** 2)).astype(np.float32)


def wrap(surface: Surface, artwork: Floats, start: float, end: float, shift: float = 0.0) -> Floats:
    """Return artwork wrapped around the side between two levels, (h, w, 3) float32; `shift` turns it, in widths."""
    height, width = artwork.shape[:2]
    rows = np.clip((surface.level - start) / (end - start) * height, 0, height - 1).astype(np.int32)
    columns = ((np.arcsin(surface.turn) / np.pi + 0.5 + shift) % 1.0 * (width - 1)).astype(np.int32)
    return np.asarray(artwork[rows, columns])


def finish(
    colour: Floats, opacity: Floats, cover: NDArray[np.bool_], foot: tuple[float, float], *, tilt: float, spread: float
) -> Sprite:
    """Tilt an oversampled drawing by `tilt` degrees and average it down to a sprite."""
    rgba = np.dstack([np.clip(colour, 0.0, 1.0), np.where(cover, opacity, 0.0)])
    small = _shrink(Image.fromarray((rgba * 255 + 0.5).astype(np.uint8), "RGBA"), foot, tilt)
    share = small[..., 3]
    if opacity[cover].min() < 1.0:
        share = _shrink(Image.fromarray(cover.astype(np.uint8) * 255, "L"), foot, tilt)
    room = (small.shape[1] * OVERSAMPLE - colour.shape[1]) // 2
    middle = ((foot[0] + room) / OVERSAMPLE, foot[1] / OVERSAMPLE + 1.0)
    return Sprite(small[..., :3], small[..., 3], share, middle, spread / OVERSAMPLE)


def _shrink(image: Image.Image, foot: tuple[float, float], degrees: float) -> Floats:
    swing = int(abs(np.sin(np.radians(degrees))) * image.height) + OVERSAMPLE
    swing += -swing % OVERSAMPLE
    room = Image.new(image.mode, (image.width + 2 * swing, image.height + 2 * OVERSAMPLE))
    room.paste(image, (swing, OVERSAMPLE))
    if abs(degrees) > 0.2:
        pivot = (foot[0] + swing, foot[1] + OVERSAMPLE)
        room = room.rotate(degrees, Image.Resampling.BILINEAR, center=pivot)
    return np.asarray(room.reduce(OVERSAMPLE), dtype=np.float32) / 255
