"""Cans: drink cans with a tapered neck and a pull tab, and straight tins with pressed rings."""

import numpy as np

from examples.fridge.drawing.artwork import draw_artwork
from examples.fridge.drawing.palette import Floats
from examples.fridge.drawing.solid import OVERSAMPLE, Sprite, Surface, finish, lit, revolve, streak, wrap
from examples.fridge.drawing.view import View


def draw_can(rng: np.random.Generator, height: float, view: View) -> Sprite:
    """Return a can about `height` pixels high."""
    pixels = round(height * OVERSAMPLE)
    tin = rng.random() < 0.2
    radius = rng.uniform(0.3, 0.42) if tin else rng.uniform(0.2, 0.35)
    surface = revolve(_tin(radius) if tin else _drink_can(radius), pixels, view)
    metal = _metal(rng, surface)
    side = _print_side(rng, surface, metal, tin)
    shine = rng.uniform(0.15, 0.5) * streak(surface, view, rng.uniform(0.1, 0.25))
    side = side * lit(surface, view)[..., None] + shine[..., None]
    lid = _lid(rng, surface, tab=not tin or rng.random() < 0.6)
    colour = np.where(surface.top[..., None], lid[..., None] * metal.max(), side)
    cover = surface.cover | surface.top
    return finish(
        colour, np.ones_like(surface.level), cover, surface.foot, tilt=rng.normal(0.0, 2.5), spread=radius * pixels
    )


def _drink_can(radius: float) -> list[tuple[float, float]]:
    rim = [(0.0, 0.84), (0.012, 0.87), (0.022, 0.84), (0.03, 0.83)]
    outline = [*rim, (0.11, 1.0), (0.93, 1.0), (0.98, 0.87), (1.0, 0.83)]
    return [(level, share * radius) for level, share in outline]


def _tin(radius: float) -> list[tuple[float, float]]:
    top, foot = [(0.0, 1.03), (0.025, 1.04), (0.035, 1.0)], [(0.965, 1.0), (0.975, 1.04), (1.0, 1.03)]
    rings = [(float(level), 1.0 - 0.014 * (step % 2)) for step, level in enumerate(np.linspace(0.08, 0.92, 23))]
    return [(level, share * radius) for level, share in [*top, *rings, *foot]]


def _print_side(rng: np.random.Generator, surface: Surface, metal: Floats, tin: bool) -> Floats:
    """A drink can is printed from neck to foot, a tin wears a paper sleeve; the rest stays bare metal."""
    start, end = (rng.uniform(0.1, 0.2), rng.uniform(0.8, 0.9)) if tin else (rng.uniform(0.06, 0.11), 0.93)
    height, width = surface.level.shape
    artwork = draw_artwork(rng, (round(1.5 * width), height))
    paint = wrap(surface, artwork, start, end, rng.uniform(-0.15, 0.15))
    return np.where(((surface.level > start) & (surface.level < end))[..., None], paint, metal)


def _metal(rng: np.random.Generator, surface: Surface) -> Floats:
    # Bare metal would mirror a room; a few soft bands stand for it.
    phase = rng.uniform(0, 2 * np.pi)
    bands = 0.72 + 0.16 * np.cos(5.0 * surface.turn + phase) + 0.1 * np.cos(11.0 * surface.turn + 2 * phase)
    steel, brass = (1.0, 1.0, 1.03), (1.05, 0.95, 0.72)
    return bands[..., None] * np.array(steel if rng.random() < 0.8 else brass, dtype=np.float32)


def _lid(rng: np.random.Generator, surface: Surface, tab: bool) -> Floats:
    """Return the brightness of the lid, (h, w): a rim, a groove, and perhaps a mouth under a tab."""
    radius = np.hypot(surface.across, surface.away)
    shade = 0.8 + 0.12 * surface.away + 0.08 * np.cos(3.0 * surface.across + rng.uniform(0, 6))
    shade = np.where((radius > 0.8) & (radius < 0.9), shade - 0.32, shade)
    shade = np.where(radius >= 0.9, 0.97, shade)
    if tab:
        angle = rng.uniform(0, 2 * np.pi)
        along = surface.across * np.cos(angle) + surface.away * np.sin(angle)
        sideways = surface.away * np.cos(angle) - surface.across * np.sin(angle)
        mouth = ((along - 0.38) / 0.32) ** 2 + (sideways / 0.3) ** 2 < 1
        ring = ((along + 0.08) / 0.34) ** 2 + (sideways / 0.2) ** 2
        shade = np.where(mouth, shade - 0.2, shade)
        shade = np.where(ring < 1, 0.98, shade)
        shade = np.where((ring < 0.35) & (along < 0), 0.45, shade)
    return shade.astype(np.float32)
