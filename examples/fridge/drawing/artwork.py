"""Printed artwork for cans, cartons and labels: made-up brands, the same for every kind of object."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from examples.fridge.drawing.palette import Floats, contrasting, pixel, printed

# None of these words may hint at what is inside: the shape alone tells the class.
WORDS = ("ALPA", "NORD", "KIKO", "Luna", "Bravo", "OASI", "fjell", "ZEST", "Solo", "Vita", "MOMO", "No. 7", "pure")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Paper to print on, `width` by `height` pixels."""

    draw: ImageDraw.ImageDraw
    width: int
    height: int


Ink: TypeAlias = tuple[int, int, int]
Motif: TypeAlias = Callable[[np.random.Generator, Sheet, Ink], None]


def draw_artwork(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Return printed artwork of `size` (width, height) as float32 (height, width, 3) in [0, 1]."""
    ground = printed(rng)
    image = Image.new("RGB", size, pixel(ground))
    sheet = Sheet(ImageDraw.Draw(image), *size)
    second = ground + rng.uniform(0.3, 0.9) * (printed(rng) - ground)
    MOTIFS[rng.integers(len(MOTIFS))](rng, sheet, pixel(second))
    ink = contrasting(rng, ground)
    middle = (sheet.width * rng.uniform(0.4, 0.6), sheet.height * rng.uniform(0.32, 0.6))
    framed = rng.random() < 0.75
    if framed:
        _draw_emblem(rng, sheet, middle, pixel(ink))
    font = ImageFont.load_default(size=min(sheet.height * rng.uniform(0.12, 0.2), 0.26 * sheet.width))
    word = WORDS[rng.integers(len(WORDS))]
    sheet.draw.text(middle, word, fill=pixel(contrasting(rng, ink) if framed else ink), font=font, anchor="mm")
    _draw_small_print(rng, sheet, pixel(ink))
    return np.asarray(image, dtype=np.float32) / 255


def _edges(rng: np.random.Generator, sheet: Sheet, ink: Ink) -> None:
    edge = sheet.height * rng.uniform(0.04, 0.14)
    sheet.draw.rectangle((0, 0, sheet.width, edge), fill=ink)
    sheet.draw.rectangle((0, sheet.height - edge, sheet.width, sheet.height), fill=ink)


def _split(rng: np.random.Generator, sheet: Sheet, ink: Ink) -> None:
    sheet.draw.rectangle((0, sheet.height * rng.uniform(0.3, 0.7), sheet.width, sheet.height), fill=ink)


def _diagonal(rng: np.random.Generator, sheet: Sheet, ink: Ink) -> None:
    start, end = sheet.height * rng.uniform(-0.2, 1.0, 2)
    thick = sheet.height * rng.uniform(0.12, 0.4)
    corners = [(0, start), (sheet.width, end), (sheet.width, end + thick), (0, start + thick)]
    sheet.draw.polygon([(float(x), float(y)) for x, y in corners], fill=ink)


def _wave(rng: np.random.Generator, sheet: Sheet, ink: Ink) -> None:
    level, swing = sheet.height * rng.uniform(0.4, 0.75), sheet.height * rng.uniform(0.05, 0.16)
    phase = rng.uniform(0, math.tau)
    across = range(0, sheet.width + 4, 4)
    crest = [(float(x), level + swing * math.sin(phase + 5.0 * x / sheet.width)) for x in across]
    sheet.draw.polygon([*crest, (float(sheet.width), float(sheet.height)), (0.0, float(sheet.height))], fill=ink)


def _stripes(rng: np.random.Generator, sheet: Sheet, ink: Ink) -> None:
    count, upright = int(rng.integers(3, 9)), rng.random() < 0.5
    step = (sheet.width if upright else sheet.height) / count
    for start in (step * index for index in range(count)):
        corners = (start, 0, start + step / 2, sheet.height) if upright else (0, start, sheet.width, start + step / 2)
        sheet.draw.rectangle(corners, fill=ink)


def _dots(rng: np.random.Generator, sheet: Sheet, ink: Ink) -> None:
    for x, y, spread in rng.random((int(rng.integers(6, 22)), 3)):
        _disc(sheet, x * sheet.width, y * sheet.height, sheet.width * (0.02 + 0.07 * spread), ink)


def _disc(sheet: Sheet, x: float, y: float, radius: float, ink: Ink) -> None:
    sheet.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


MOTIFS: tuple[Motif, ...] = (_edges, _split, _diagonal, _wave, _stripes, _dots)


def _draw_emblem(rng: np.random.Generator, sheet: Sheet, middle: tuple[float, float], ink: Ink) -> None:
    x, y = middle
    across, down = sheet.width * rng.uniform(0.2, 0.34), sheet.height * rng.uniform(0.12, 0.26)
    corners = (x - across, y - down, x + across, y + down)
    shape = int(rng.integers(3))
    if shape == 0:
        sheet.draw.ellipse(corners, fill=ink)
    elif shape == 1:
        sheet.draw.rounded_rectangle(corners, radius=min(across, down) / 2, fill=ink)
    else:
        sheet.draw.polygon(_star(x, y, 1.3 * min(across, down), int(rng.integers(5, 12))), fill=ink)


def _star(x: float, y: float, radius: float, points: int) -> list[tuple[float, float]]:
    angles = [math.pi * corner / points - math.pi / 2 for corner in range(2 * points)]
    reach = [radius * (1.0 if corner % 2 == 0 else 0.7) for corner in range(2 * points)]
    return [(x + out * math.cos(angle), y + out * math.sin(angle)) for angle, out in zip(angles, reach, strict=True)]


def _draw_small_print(rng: np.random.Generator, sheet: Sheet, ink: Ink) -> None:
    left, top = sheet.width * rng.uniform(0.3, 0.5), sheet.height * rng.uniform(0.78, 0.86)
    line = sheet.height * 0.035
    for row in range(int(rng.integers(1, 4))):
        start = top + row * line
        sheet.draw.rectangle((left, start, left + sheet.width * rng.uniform(0.12, 0.34), start + 0.45 * line), fill=ink)
