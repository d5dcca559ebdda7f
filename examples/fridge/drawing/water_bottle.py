"""Water bottles: slim clear plastic with ridges, a label band and a screw cap. The background shows through."""

from dataclasses import replace

import numpy as np

from examples.fridge.drawing.artwork import draw_artwork
from examples.fridge.drawing.palette import Floats, colour, pale, vivid
from examples.fridge.drawing.solid import OVERSAMPLE, Sprite, Surface, finish, lit, revolve, streak, wrap
from examples.fridge.drawing.view import View


def draw_water_bottle(rng: np.random.Generator, height: float, view: View) -> Sprite:
    """Return a water bottle about `height` pixels high."""
    pixels = round(height * OVERSAMPLE)
    radius = rng.uniform(0.11, 0.155)
    cap_end = rng.uniform(0.05, 0.085)
    surface = revolve(_profile(rng, radius, cap_end), pixels, view)
    body, opacity = _plastic(rng, surface)
    start = rng.uniform(0.38, 0.5)
    end = start + rng.uniform(0.12, 0.24)
    artwork = draw_artwork(rng, (round(pixels * radius * 3), round(pixels * (end - start))))
    label = (surface.level > start) & (surface.level < end)
    body = np.where(label[..., None], wrap(surface, artwork, start, end, rng.uniform(-0.2, 0.2)), body)
    cap = vivid(rng) if rng.random() < 0.7 else pale(rng)
    capped = (surface.level < cap_end) & surface.cover
    grip = 0.88 + 0.12 * np.sign(np.sin(26 * np.arcsin(surface.turn)))
    body = np.where(capped[..., None], cap * grip[..., None], body)
    shade = lit(surface, view)
    gloss = 0.7 * streak(surface, view, 0.09) + 0.25 * streak(surface, view, 0.3)
    # Light crosses clear plastic, so its far side is hardly darker, and its highlights are stronger.
    solid = label | capped
    painted = body * np.where(solid, shade, 0.55 + 0.45 * shade)[..., None]
    painted = painted + (np.where(solid, 0.25, 1.0) * gloss)[..., None]
    painted = np.where(surface.top[..., None], 1.05 * cap, painted)
    opacity = np.where(solid | surface.top, 1.0, np.maximum(opacity, 0.9 * gloss)).astype(np.float32)
    cover = surface.cover | surface.top
    sprite = finish(painted, opacity, cover, surface.foot, tilt=rng.normal(0.0, 2.5), spread=radius * pixels)
    return replace(sprite, clear=True)


def _profile(rng: np.random.Generator, radius: float, cap_end: float) -> list[tuple[float, float]]:
    cap = radius * rng.uniform(0.4, 0.52)
    ring = [(cap_end + 0.005, 1.12 * cap), (cap_end + 0.015, 1.12 * cap), (cap_end + 0.02, 0.85 * cap)]
    neck_end, shoulder_end = cap_end + 0.045, rng.uniform(0.25, 0.36)
    steps = np.linspace(0.0, 1.0, 10)
    rise = 0.85 * cap + (radius - 0.85 * cap) * np.sin(np.pi / 2 * steps) ** rng.uniform(0.8, 1.4)
    shoulder = zip(neck_end + (shoulder_end - neck_end) * steps, rise, strict=True)
    levels = np.linspace(shoulder_end + 0.02, 0.93, 90)
    ridges, depth = int(rng.integers(3, 7)), rng.uniform(0.02, 0.07)
    turns = (levels - levels[0]) / (levels[-1] - levels[0]) * ridges
    dents = depth * (0.5 - 0.5 * np.cos(2 * np.pi * turns)) ** 2
    waist = rng.uniform(0.0, 0.08) * np.exp(-(((levels - 0.5) / 0.1) ** 2))
    body = zip(levels, radius * (1.0 - dents - waist), strict=True)
    curves = [(float(level), float(out)) for level, out in [*shoulder, *body]]
    return [(0.0, cap), (cap_end, cap), *ring, *curves, (0.97, 0.97 * radius), (1.0, 0.8 * radius)]


def _plastic(rng: np.random.Generator, surface: Surface) -> tuple[Floats, Floats]:
    """Return the colour and opacity of the clear wall: thick at the edges, tinted below the water line."""
    tint = colour(rng.random(), rng.uniform(0.05, 0.5), rng.uniform(0.75, 1.0))
    water_line = rng.uniform(0.14, 0.4)
    wet = surface.level > water_line
    body = np.where(wet[..., None], tint, 0.45 + 0.55 * tint)
    edge = np.abs(surface.turn) ** 4
    ridged = np.clip(np.abs(surface.slope) * 1.6, 0.0, 0.5)
    opacity = np.where(wet, rng.uniform(0.22, 0.42), rng.uniform(0.12, 0.25)) + 0.4 * edge + 0.5 * ridged
    line = np.abs(surface.level - water_line) < 0.005
    body = np.where(line[..., None], 0.5 * body + 0.4, body) * (1.0 - 0.35 * edge - 0.3 * ridged)[..., None]
    return body.astype(np.float32), np.clip(opacity + 0.3 * line, 0.0, 0.95).astype(np.float32)
