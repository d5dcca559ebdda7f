"""Draw an image of patterned objects from a seed, with a mask for each, where its explanation should lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.patterns.backdrop import draw_backdrop
from examples.patterns.texture import TEXTURES, paint

LABELS = tuple(TEXTURES)
SIDE = 112
MOST_OBJECTS = 3

_AREA = (0.07, 0.08)  # of an object, as a share of the image
_MARGIN = 2  # pixels between an object and the edge of the image
_GAP = 4  # pixels at least between two objects

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PatternObject:
    """One object in an image; mask: bool (SIDE, SIDE), its pixels."""

    label: str
    mask: Mask


@dataclass(frozen=True, slots=True)
class PatternScene:
    """An image, uint8 (SIDE, SIDE, 3) RGB in [0, 255], and its objects in the order of the labels asked for."""

    image: NDArray[np.uint8]
    objects: tuple[PatternObject, ...]


def draw_scene(seed: int, *, labels: Sequence[str] | None = None) -> PatternScene:
    """Draw the image of a seed; the same arguments give the same bytes in any process.

    seed: any integer >= 0. labels: of the objects, 0 to 3 different ones; without them two are chosen at random.
    Everything but the textures, and so the masks too, depends only on the seed and the number of objects.
    Raises ValueError for a negative seed, an unknown label, one that comes twice, or more than 3.
    """
    if labels is None:
        labels = [LABELS[index] for index in np.random.default_rng((seed, 0)).permutation(len(LABELS))[:2]]
    if unknown := sorted(set(labels) - set(LABELS)):
        raise ValueError(f"Unknown label {unknown[0]!r}; the labels are {', '.join(LABELS)}.")
    if len(labels) > MOST_OBJECTS or len(set(labels)) < len(labels):
        raise ValueError(f"A scene holds at most {MOST_OBJECTS} objects of different labels, not {', '.join(labels)}.")
    image = draw_backdrop(np.random.default_rng((seed, 1)), SIDE)
    masks = _masks(np.random.default_rng((seed, 2)), len(labels))
    for label, mask in zip(labels, masks, strict=True):
        image[mask] = paint(np.random.default_rng((seed, 3, LABELS.index(label))), label, SIDE)[mask]
    # Camera noise, on objects and backdrop alike
    rng = np.random.default_rng((seed, 4))
    image += np.float32(rng.uniform(0, 0.03)) * rng.standard_normal(image.shape, dtype=np.float32)
    objects = tuple(PatternObject(label, mask) for label, mask in zip(labels, masks, strict=True))
    return PatternScene((image.clip(0, 1) * 255).round().astype(np.uint8), objects)


def _masks(rng: np.random.Generator, number: int) -> list[Mask]:
    """Choose discs and squares, and where they lie, no two of them close to each other."""
    round_ = rng.random(number) < 0.5
    area = rng.uniform(*_AREA, number) * SIDE**2
    reach = np.where(round_, np.sqrt(area / np.pi), np.sqrt(area) / 2)  # from the centre to the edge, along an axis
    least_distance = reach[:, None] + reach + _GAP - SIDE * np.eye(number)
    while True:
        centre = rng.uniform(reach + _MARGIN, SIDE - 1 - reach - _MARGIN, (2, number))
        if (np.abs(centre[:, :, None] - centre[:, None]).max(axis=0) >= least_distance).all():
            break
    down, right = np.mgrid[:SIDE, :SIDE]
    masks = []
    for disc, size, y, x in zip(round_, reach, *centre, strict=True):
        below, beside = np.abs(down - y), np.abs(right - x)
        masks.append(np.hypot(below, beside) <= size if disc else np.maximum(below, beside) <= size)
    return masks
