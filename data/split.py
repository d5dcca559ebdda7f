"""split: which images are trained on, and which are held back to judge the result.

An image's side depends on its own bytes and on nothing else, so that neither the order of lines nor further images move
any. No rule can have this and also count labels: what a rule says of one image alone, it then says of it among others.
Shares of labels therefore vary as by chance.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from data.checks.labels import labels_of
from data.dataset import CheckedImage
from models.labels import Label, named

Images = tuple[CheckedImage, ...]

_DIGEST = 6  # bytes, all of which a float holds
_PLACES = float(256**_DIGEST)


class _Unit(NamedTuple):
    """Images that stay together, and their place in [0, 1)."""

    place: float
    images: list[int]


def split(
    images: Sequence[CheckedImage],
    share: float = 0.2,
    *,
    group: Callable[[CheckedImage], str | None] | None = None,
    seed: int = 0,
) -> tuple[Images, Images]:
    """Return the images to train on and those to validate with, each in their order; `share` are the latter, in (0, 1).

    Images with the same bytes or pixels stay together, and so do those of a `group`. Another `seed` is another cut. For
    two kinds of images, others do matter. An image whose label would not be trained on, though it has two images, is
    trained on; and where there would be none to validate with, the next one is taken.
    """
    training, validation = parted(images, [share], group=group, seed=seed)
    return training, validation


def parted(
    images: Sequence[CheckedImage],
    shares: Sequence[float],
    *,
    group: Callable[[CheckedImage], str | None] | None = None,
    seed: int = 0,
) -> list[Images]:
    """Return the images to train on, then those of one part for each of `shares`, as `split` does.

    A further share takes images from the training alone.
    """
    units = _units(images, group, seed)
    ends = list(accumulate(shares))
    sides = [next((part for part, end in enumerate(ends, 1) if unit.place < end), 0) for unit in units]
    if units and 0 not in sides:
        sides[-1] = 0
    _train_on_all_labels(images, units, sides)
    _validate_with_some(images, units, sides)
    side_of = {index: side for unit, side in zip(units, sides, strict=True) for index in unit.images}
    return [
        tuple(image for index, image in enumerate(images) if side_of[index] == part) for part in range(len(shares) + 1)
    ]


def _units(
    images: Sequence[CheckedImage], group: Callable[[CheckedImage], str | None] | None, seed: int
) -> list[_Unit]:
    """Return what stays together, by place. That is the place of a unit's group, or else of its bytes.

    Where images are in several groups, one of these is drawn.
    """
    owner = list(range(len(images)))

    def root(index: int) -> int:
        while owner[index] != index:
            owner[index] = index = owner[owner[index]]
        return index

    places = []
    first: dict[str, int] = {}
    for index, image in enumerate(images):
        keys = [f"image {image.sha256}"]
        place = _place(keys[0], seed)
        if image.pixels is not None:
            keys.append(f"pixels {image.pixels}")
        if group is not None and (name := group(image)) is not None:
            keys.append(f"group {name}")
            place = _place(keys[-1], seed)
        places.append(place)
        for key in keys:
            owner[root(index)] = root(first.setdefault(key, index))
    members = defaultdict(list)
    for index in range(len(images)):
        members[root(index)].append(index)
    return sorted(_Unit(min(places[index] for index in unit)[1], unit) for unit in members.values())


def _place(name: str, seed: int) -> tuple[bytes, float]:
    """Return what to draw by among several places, and the place in [0, 1) that a name has."""
    hashed = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=f"split {seed}".encode()).digest()
    return hashed[_DIGEST:], int.from_bytes(hashed[:_DIGEST], "big") / _PLACES


def _train_on_all_labels(images: Sequence[CheckedImage], units: Sequence[_Unit], sides: list[int]) -> None:
    """Move the last image of each label to the training that has two images, and would have none there."""
    counts = Counter(label for image in images for label in labels_of(image.image))
    holders = defaultdict(list)
    for number, unit in enumerate(units):
        for label in _labels(images, unit):
            holders[label].append(number)
    for label in sorted(holders, key=named):
        if counts[label] > 1 and all(sides[number] for number in holders[label]):
            sides[holders[label][-1]] = 0


def _validate_with_some(images: Sequence[CheckedImage], units: Sequence[_Unit], sides: list[int]) -> None:
    """Move the first unit to the validation where that would be empty, unless nothing would be left to train on."""
    trained = [number for number, side in enumerate(sides) if not side]
    if 1 in sides or len(trained) < 2:
        return
    counts = Counter(label for number in trained for label in _labels(images, units[number]))
    # rather one whose labels are trained on in others too
    spare = (number for number in trained if all(counts[label] > 1 for label in _labels(images, units[number])))
    sides[next(spare, trained[0])] = 1


def _labels(images: Sequence[CheckedImage], unit: _Unit) -> set[Label]:
    return {label for index in unit.images for label in labels_of(images[index].image)}
