"""Draws one labelled image from a seed: a room, the objects in it, and the effects of a camera."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.fridge.drawing.arrangement import Piece, Placed, arrange
from examples.fridge.drawing.backdrop import draw_room
from examples.fridge.drawing.camera import photograph
from examples.fridge.drawing.can import draw_can
from examples.fridge.drawing.carton import draw_carton
from examples.fridge.drawing.clutter import draw_clutter, hang_clutter
from examples.fridge.drawing.milk_bottle import draw_milk_bottle
from examples.fridge.drawing.paint import lay_over, lay_shadow
from examples.fridge.drawing.solid import Sprite
from examples.fridge.drawing.view import View, choose_view
from examples.fridge.drawing.water_bottle import draw_water_bottle

LABELS = ("can", "carton", "milk_bottle", "water_bottle")
MOST_OBJECTS = 4

_DRAWERS: dict[str, Callable[[np.random.Generator, float, View], Sprite]] = {
    "can": draw_can,
    "carton": draw_carton,
    "milk_bottle": draw_milk_bottle,
    "water_bottle": draw_water_bottle,
}
# Height of each kind relative to the others; random heights overlap.
_STATURE = {"can": 0.78, "carton": 0.95, "milk_bottle": 0.98, "water_bottle": 1.03}
# Height as a share of the image's shorter side, by how many objects share it.
_HEIGHTS = {1: (0.5, 0.8), 2: (0.42, 0.66), 3: (0.38, 0.58), 4: (0.34, 0.52)}


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object in an image.

    box: left, top, right, bottom in whole pixels, right and bottom exclusive: the tightest box around the mask.
    mask: bool (H, W), the visible pixels of this object, glass included.
    """

    label: str
    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FridgeScene:
    """An image, uint8 (H, W, 3) RGB in [0, 255], and its objects in the order of the labels asked for."""

    image: NDArray[np.uint8]
    objects: tuple[SceneObject, ...]


def draw_scene(
    seed: int,
    *,
    size: tuple[int, int] = (640, 480),
    labels: Sequence[str] | None = None,
    count: int | None = None,
) -> FridgeScene:
    """Draw the image of a seed; the same arguments give the same bytes in any process.

    seed: any integer >= 0. size: width and height in pixels, at least 32 each. labels: one per object, 1 to 4;
    without them, `count` labels, or 1 to 4, are chosen at random. The room does not depend on the labels.
    Raises ValueError for a negative seed, a smaller size, an unknown label or another number of objects.
    """
    if min(size) < 32:
        raise ValueError(f"An image is at least 32 pixels wide and high, not {size[0]}x{size[1]}.")
    chosen = _choose_labels(np.random.default_rng((seed, 0)), labels, count)
    view = choose_view(np.random.default_rng((seed, 1)))
    backdrop_rng = np.random.default_rng((seed, 2))
    room = draw_room(backdrop_rng, size)
    image = room.image
    if backdrop_rng.random() < 0.35:
        image = hang_clutter(backdrop_rng, image, room.horizon)
    pieces = [*_draw_objects(seed, chosen, view, min(size)), *_draw_clutter(seed, view, min(size))]
    placed = arrange(np.random.default_rng((seed, 3)), pieces, size, room.horizon)
    owner = np.full(image.shape[:2], -1, dtype=np.int8)
    for index, one in enumerate(placed):
        lay_shadow(image, one, view)
        owner[lay_over(image, one)] = index
    objects = _objects(owner, placed, pieces[: len(chosen)])
    return FridgeScene(photograph(np.random.default_rng((seed, 4)), image), objects)


def _choose_labels(rng: np.random.Generator, labels: Sequence[str] | None, count: int | None) -> tuple[str, ...]:
    if labels is None:
        number = int(rng.integers(1, MOST_OBJECTS + 1)) if count is None else count
        labels = [LABELS[rng.integers(len(LABELS))] for _ in range(number)]
    unknown = sorted(set(labels) - set(LABELS))
    if unknown:
        raise ValueError(f"Unknown label {unknown[0]!r}; the labels are {', '.join(LABELS)}.")
    if not 1 <= len(labels) <= MOST_OBJECTS or (count is not None and count != len(labels)):
        raise ValueError(f"A scene holds 1 to {MOST_OBJECTS} objects, one per label.")
    return tuple(labels)


def _draw_objects(seed: int, labels: Sequence[str], view: View, unit: int) -> list[Piece]:
    pieces = []
    for index, label in enumerate(labels):
        rng = np.random.default_rng((seed, 5, index))
        height = rng.uniform(*_HEIGHTS[len(labels)]) * _STATURE[label]
        pieces.append(Piece(label, _DRAWERS[label](rng, unit * height, view)))
    return pieces


def _draw_clutter(seed: int, view: View, unit: int) -> list[Piece]:
    rng = np.random.default_rng((seed, 6))
    number = int(rng.choice([0, 0, 0, 1, 1, 2]))
    return [Piece(None, draw_clutter(rng, unit * rng.uniform(0.09, 0.26), view)) for _ in range(number)]


def _objects(owner: NDArray[np.int8], placed: Sequence[Placed], pieces: Sequence[Piece]) -> tuple[SceneObject, ...]:
    objects = []
    for piece in pieces:
        index = next(index for index, one in enumerate(placed) if one.piece is piece)
        mask = owner == index
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        objects.append(SceneObject(str(piece.label), box, mask))
    return tuple(objects)
