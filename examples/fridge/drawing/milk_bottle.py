"""Milk bottles: dairy glass with a wide lip, and broad plastic with a handle. Both are opaque."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from examples.fridge.drawing.artwork import draw_artwork
from examples.fridge.drawing.palette import Floats, colour, pale, vivid
from examples.fridge.drawing.solid import OVERSAMPLE, Sprite, Surface, finish, lit, revolve, streak, wrap
from examples.fridge.drawing.view import View

Outline: TypeAlias = list[tuple[float, float]]


def draw_milk_bottle(rng: np.random.Generator, height: float, view: View) -> Sprite:
    """Return a milk bottle about `height` pixels high."""
    pixels = round(height * OVERSAMPLE)
    glass = rng.random() < 0.45
    radius = rng.uniform(0.2, 0.25) if glass else rng.uniform(0.21, 0.27)
    cap_end, fill = rng.uniform(0.05, 0.08), rng.uniform(0.13, 0.28) if glass else 0.0
    surface = revolve(_dairy_glass(radius, cap_end) if glass else _moulded(radius, cap_end), pixels, view, margin=0.12)
    drink = _milk(rng) if glass else _plastic_milk(rng)
    body = np.where((surface.level < fill)[..., None], 0.75 * drink + 0.2, drink).astype(np.float32)
    body = _label(rng, surface, body, pixels)
    cap = pale(rng) if rng.random() < 0.3 else vivid(rng)
    body = np.where((surface.level < cap_end)[..., None], cap, body)
    shine = streak(surface, view, 0.12 if glass else 0.3) * rng.uniform(0.2, 0.45 if glass else 0.25)
    painted = body * lit(surface, view)[..., None] + shine[..., None]
    painted = np.where(surface.top[..., None], 1.05 * cap, painted)
    # The empty glass above the milk is not quite clear.
    empty = (surface.level > cap_end) & (surface.level < fill) & ~surface.top
    cover = surface.cover | surface.top
    if not glass and rng.random() < 0.75:
        loop = _handle(rng, surface, radius, pixels)
        painted = np.where(((loop > 0) & ~cover)[..., None], drink * loop[..., None], painted)
        cover = cover | (loop > 0)
        empty = empty & surface.cover
    opacity = np.where(empty, 0.72, 1.0).astype(np.float32)
    return finish(painted, opacity, cover, surface.foot, tilt=rng.normal(0.0, 2.5), spread=radius * pixels)


def _milk(rng: np.random.Generator) -> Floats:
    """Milk is mostly white; cocoa, strawberry and mint make sure that white alone does not mean milk."""
    if rng.random() < 0.65:
        return colour(rng.uniform(0.08, 0.17), rng.uniform(0.0, 0.12), rng.uniform(0.9, 1.0))
    return colour(rng.random(), rng.uniform(0.12, 0.38), rng.uniform(0.66, 0.95))


def _plastic_milk(rng: np.random.Generator) -> Floats:
    return _milk(rng) if rng.random() < 0.6 else colour(rng.random(), rng.uniform(0.2, 0.6), rng.uniform(0.5, 0.95))


def _dairy_glass(radius: float, cap_end: float) -> Outline:
    lip, neck = 0.62 * radius, 0.54 * radius
    head = [(0.0, 0.98 * lip), (cap_end, 1.03 * lip), (cap_end + 0.005, lip), (cap_end + 0.03, lip)]
    steps = np.linspace(0.0, 1.0, 9)
    swell = neck + (radius - neck) * (1.0 - np.cos(np.pi * steps)) / 2
    return [*head, (cap_end + 0.05, neck), *_curve(0.3 + 0.17 * steps, swell), *_base(radius)]


def _moulded(radius: float, cap_end: float) -> Outline:
    cap = 0.4 * radius
    head = [(0.0, cap), (cap_end, cap), (cap_end + 0.004, 0.86 * cap), (cap_end + 0.02, 0.86 * cap)]
    steps = np.linspace(0.0, 1.0, 9)
    swell = cap + (radius - cap) * np.sin(np.pi / 2 * steps) ** 0.9
    return [*head, (cap_end + 0.025, cap), *_curve(0.13 + 0.2 * steps, swell), *_base(radius)]


def _curve(levels: NDArray[np.float64], radii: NDArray[np.float64]) -> Outline:
    return [(float(level), float(radius)) for level, radius in zip(levels, radii, strict=True)]


def _base(radius: float) -> Outline:
    return [(0.95, radius), (0.98, 0.96 * radius), (1.0, 0.87 * radius)]


def _label(rng: np.random.Generator, surface: Surface, body: Floats, pixels: int) -> Floats:
    start = rng.uniform(0.45, 0.55)
    end = start + rng.uniform(0.2, 0.36)
    artwork = draw_artwork(rng, (pixels // 2, round(pixels * (end - start))))
    shift = rng.uniform(-0.2, 0.2)
    angle = np.arcsin(surface.turn) / np.pi + shift
    inside = (surface.level > start) & (surface.level < end) & (np.abs(angle) < rng.uniform(0.25, 0.75))
    return np.where(inside[..., None], wrap(surface, artwork, start, end, shift), body)


def _handle(rng: np.random.Generator, surface: Surface, radius: float, pixels: int) -> Floats:
    """Return the brightness of a loop handle beside the shoulder, (h, w), 0 where there is none."""
    side = 1 if rng.random() < 0.5 else -1
    height, width = surface.level.shape
    middle, thick = surface.foot[0], radius * pixels * rng.uniform(0.2, 0.28)
    top = surface.foot[1] - pixels * rng.uniform(0.84, 0.87)
    bottom = surface.foot[1] - pixels * rng.uniform(0.5, 0.56)
    out = middle + side * pixels * (radius + rng.uniform(0.03, 0.07))
    path = [(middle, top), (out - side * thick, top), (out, top + thick), (out, bottom - thick)]
    path += [(out - side * thick * 0.6, bottom), (middle + side * pixels * radius * 0.8, bottom + thick)]
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).line(path, fill=255, width=round(thick), joint="curve")
    ridge = np.asarray(image.filter(ImageFilter.GaussianBlur(thick / 4)), dtype=np.float32) / 255
    return np.where(np.asarray(image) > 0, 0.55 + 0.42 * ridge, 0.0).astype(np.float32)
