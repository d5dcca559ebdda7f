"""Boxes, masks and pixels stay together, whatever part of an image is seen."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from data.outlines import box_of_runs, run_lengths
from models.images.preprocess import Statistics
from models.images.tiling import Tile
from tests.training.detection.scenes import LABELS, star, write_scene
from training.augmentation.detection import Window, random_window, whole_window
from training.detection.true_objects import TrueObjects, true_objects

SIZE, FINE = (240, 320), (960, 1280)  # height and width


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[np.ndarray, TrueObjects]]:
    folder = tmp_path_factory.mktemp("scenes")
    drawn = [write_scene(folder, seed, SIZE[::-1], 1 + seed % 3, pixels=bool(seed % 2)) for seed in range(12)]
    return [(np.asarray(Image.open(each.file)), true_objects(each.image, LABELS)) for each in drawn]


def windows(scenes: list[tuple[np.ndarray, TrueObjects]]) -> Iterator[tuple[Window, np.ndarray, TrueObjects]]:
    rng = np.random.default_rng(0)
    for image, objects in scenes * 5:
        yield random_window(rng, SIZE, objects.boxes), image, objects


def test_boxes_are_those_of_redrawn_masks(scenes: list[tuple[np.ndarray, TrueObjects]]) -> None:
    worst = 1.0
    for window, _, objects in windows(scenes):
        boxes = window.boxes(objects.boxes, SIZE, FINE)
        for box, mask in zip(boxes, window.masks(objects, SIZE, FINE), strict=True):
            drawn = np.array(box_of_runs(run_lengths(mask))) * (FINE[::-1] * 2)
            low, high = np.maximum(box[:2], drawn[:2]), np.minimum(box[2:], drawn[2:])
            areas = [(each[2:] - each[:2]).prod() for each in (box, drawn)]
            worst = min(worst, (high - low).prod() / (sum(areas) - (high - low).prod()))
    assert 0.98 < worst < 1


def test_pixels_show_objects_where_their_masks_are(scenes: list[tuple[np.ndarray, TrueObjects]]) -> None:
    ground, fill = np.array([40, 60, 80]), np.rint(255 * np.array(Statistics().mean))
    for window, image, objects in windows(scenes):
        pixels = window.pixels(image, (120, 160)).permute(1, 2, 0).numpy().astype(int)
        masks = window.masks(objects, SIZE, (120, 160))
        colours = np.array([(250, 20, 30), (20, 240, 30)])
        for label, mask in zip(objects.labels, masks, strict=True):
            assert (abs(pixels[mask] - colours[label]).max(1) < 60).mean() > 0.8
        beyond = pixels[~masks.any(0)]
        assert ((abs(beyond - ground).max(1) < 3) | (abs(beyond - fill).max(1) < 3)).mean() > 0.8


def test_windows_keep_all_boxes_whole_and_most_of_the_image(scenes: list[tuple[np.ndarray, TrueObjects]]) -> None:
    kinds = {"crop": 0, "expansion": 0, "whole": 0, "flipped": 0}
    for window, _, objects in windows(scenes * 3):
        kinds["flipped"] += window.flipped
        boxes = objects.boxes * (SIZE[::-1] * 2) - (window.left, window.top) * 2
        assert (boxes > -1e-6).all()
        assert (boxes[:, 2:] < (window.width + 1e-6, window.height + 1e-6)).all()
        whole = whole_window(SIZE)
        area = window.width * window.height / (whole.width * whole.height)
        kinds["whole" if area == 1 else "crop" if area < 1 else "expansion"] += 1
        assert 0.59 < area <= 4
        if area < 1:
            assert 0.49 < window.width / window.height < 2.01
    assert all(count > 15 for count in kinds.values()), kinds


def test_window_of_a_background_is_any() -> None:
    rng = np.random.default_rng(1)
    found = {random_window(rng, (50, 60), np.zeros((0, 4))) for _ in range(200)}
    assert {each.width < 60 for each in found} == {True, False}
    assert len({each.left for each in found}) > 20


def test_crop_of_a_full_image_is_the_image() -> None:
    rng = np.random.default_rng(1)
    full = np.array([[0.0, 0.0, 1.0, 1.0]])
    assert all(random_window(rng, (50, 60), full).width >= 60 for _ in range(100))


def test_tile_cuts_objects_and_leaves_out_what_is_hardly_seen() -> None:
    outline = star(np.random.default_rng(0), (50, 50), 20, (100, 100))
    boxes = np.array([[0.1, 0.1, 0.3, 0.3], [0.35, 0.1, 0.75, 0.3], [0.45, 0.5, 0.9, 0.9]])
    objects = TrueObjects(boxes, np.array([0, 1, 0]), np.zeros(3, bool), ((outline,),) * 3)
    seen = objects.in_tile(Tile(0, 0, 50, 100), (100, 100))
    assert seen.labels.tolist() == [0, 1]
    np.testing.assert_allclose(seen.boxes, [[0.2, 0.1, 0.6, 0.3], [0.7, 0.1, 1.0, 0.3]])
    masks = whole_window((100, 50)).masks(seen, (100, 50), (100, 50))
    whole = whole_window((100, 100)).masks(objects, (100, 100), (100, 100))
    assert (masks[0] == whole[0][:, :50]).all()
