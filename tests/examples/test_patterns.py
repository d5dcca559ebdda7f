"""The patterned images: the same everywhere, with masks where the patterns are, and nothing of them elsewhere."""

import subprocess
import sys
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from examples.patterns.scene import LABELS, MOST_OBJECTS, SIDE, draw_scene
from tests.support.repository import ROOT


def test_a_seed_draws_the_same_bytes_in_every_process() -> None:
    code = (
        "from examples.patterns.scene import draw_scene; from hashlib import sha256;"
        "print(sha256(draw_scene(7).image.tobytes()).hexdigest())"
    )
    elsewhere = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip()
    assert elsewhere == sha256(draw_scene(7).image.tobytes()).hexdigest()


def test_many_seeds_draw_two_objects_of_different_labels() -> None:
    seen, images = set(), set()
    for seed in range(300):
        scene = draw_scene(seed)
        assert scene.image.shape == (SIDE, SIDE, 3)
        assert scene.image.dtype == np.uint8
        assert scene.image.std() > 3
        one, other = scene.objects
        assert one.label != other.label
        assert not (one.mask & other.mask).any()
        for item in scene.objects:
            assert 0.065 < item.mask.mean() < 0.085
            assert not np.concatenate([item.mask[[0, -1]].ravel(), item.mask[:, [0, -1]].ravel()]).any()
        seen.add((one.label, other.label))
        images.add(scene.image.tobytes())
    assert len(seen) == len(LABELS) * (len(LABELS) - 1), "every pair comes, in either order"
    assert len(images) == 300


@pytest.mark.parametrize("seed", range(12))
def test_labels_change_the_masks_of_their_objects_and_nothing_else(seed: int) -> None:
    one, other = (draw_scene(seed, labels=labels) for labels in (LABELS[:2], LABELS[2:]))
    changed = (one.image != other.image).any(axis=2)
    masks = [item.mask for item in one.objects]
    assert all(np.array_equal(mask, item.mask) for mask, item in zip(masks, other.objects, strict=True))
    assert not changed[~(masks[0] | masks[1])].any()
    assert all(changed[mask].mean() > 0.9 for mask in masks)


@pytest.mark.parametrize("seed", range(12))
def test_an_object_has_the_texture_of_its_label(seed: int) -> None:
    for item in (scene := draw_scene(seed, labels=LABELS[seed % 2 :: 2])).objects:
        grey = scene.image.astype(float).mean(axis=2)
        alike = {name: _alike(grey, item.mask, *way) for name, way in _WAYS.items()}
        straight = max(alike, key=lambda name: alike[name])
        assert alike[straight] > 0.8 or item.label == "checker"
        expected = {"horizontal": {"right"}, "vertical": {"down"}, "diagonal": {"falling", "rising"}}
        assert item.label == "checker" or straight in expected[item.label]
        if item.label == "checker":
            assert max(alike["right"], alike["down"]) < 0.8


_WAYS = {"right": (0, 4), "down": (4, 0), "falling": (3, 3), "rising": (-3, 3)}


def _alike(grey: NDArray[np.float64], mask: NDArray[np.bool_], down: int, right: int) -> float:
    """How well the pixels of an object agree with those a few pixels further on that way."""
    both = mask & np.roll(mask, (-down, -right), (0, 1))
    return float(np.corrcoef(grey[both], np.roll(grey, (-down, -right), (0, 1))[both])[0, 1])


@pytest.mark.parametrize("number", range(MOST_OBJECTS + 1))
def test_as_many_objects_as_labels(number: int) -> None:
    scene = draw_scene(5, labels=LABELS[:number])
    assert [item.label for item in scene.objects] == list(LABELS[:number])
    assert not any((one.mask & other.mask).any() for one, other in pairwise(scene.objects))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["dotted"], "Unknown label 'dotted'; the labels are horizontal, vertical"),
        (["checker", "checker"], "different labels, not checker, checker"),
        (LABELS, "at most 3 objects"),
    ],
)
def test_what_cannot_be_drawn_is_refused(labels: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_scene(0, labels=labels)
