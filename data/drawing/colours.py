"""Colours: one for each label, which follows from its name alone, and those of everything else.

A label has its colour on every sheet, chart and page, whatever other labels there are.
"""

import hashlib
import math
from functools import lru_cache

from models.labels import Label, named

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

FAULT: Colour = (214, 32, 48)

# Hues near the red of faults are left out, in degrees
_FIRST_HUE, _HUES = 50.0, 310.0
_LIGHTNESSES = (0.60, 0.71, 0.83)
_CHROMA = 0.17
# Of 4,000 salts, the one that best tells apart the labels of a dozen common data sets
_SALT = "3676:"


@lru_cache(maxsize=4096)
def label_colour(label: Label) -> Colour:
    """Return the colour of a label. It can be seen on white and on black, and is never the red of faults."""
    digest = hashlib.sha256((_SALT + named(label)).encode("utf-8", "surrogatepass")).digest()
    hue = _FIRST_HUE + _HUES * int.from_bytes(digest[:4], "big") / 2**32
    lightness = _LIGHTNESSES[digest[4] % len(_LIGHTNESSES)]
    chroma = _CHROMA
    parts = _linear_rgb(lightness, chroma, hue)
    while not 0.0 <= min(parts) <= max(parts) <= 1.0:
        chroma *= 0.95
        parts = _linear_rgb(lightness, chroma, hue)
    red, green, blue = (round(255 * _encoded(part)) for part in parts)
    return red, green, blue


def ink_on(colour: Colour) -> Colour:
    """Return black or white, whichever is easier to read on a colour, by the contrast ratio of WCAG 2."""
    red, green, blue = (_decoded(part / 255) for part in colour)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else (255, 255, 255)


def hexadecimal(colour: Colour) -> str:
    """Return a colour as HTML writes it, such as #d62030."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _linear_rgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """Return a colour of Oklch, in which equal lightness looks equal, as linear RGB; outside of [0, 1] it has none.

    Björn Ottosson, https://bottosson.github.io/posts/oklab/
    """
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _encoded(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _decoded(encoded: float) -> float:
    return encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4
