"""Tiles and what is joined from them: hand-worked cases, and a slow reference that works tile by tile."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.detection.adapter import Detections
from models.detection.instances import join
from models.detector import Detector
from models.errors import ImageError
from models.images.model_input import DecodedImage
from models.images.tiling import Tile, surviving, tiles
from settings.model import DetectionSettings
from tests.support.contract import contract
from tests.support.detections import detected
from tests.support.folders.detector_folders import (
    SETTINGS,
    Reference,
    assert_alike,
    load_detector,
    seeded_detector,
    write_detector_folder,
)
from tests.support.images import LIMITS, encoded, painted
from tests.support.references.tiling import slowly

Box = tuple[float, float, float, float]


@contract("Tiles", "Where tiles lie")
def test_a_grid_of_three_by_two_as_worked_by_hand() -> None:
    across, down = [(0, 256), (192, 448), (384, 640)], [(0, 274), (206, 480)]
    expected = [Tile(left, top, right, bottom) for left, right in across for top, bottom in down]
    assert tiles(640, 480, (3, 2), 0.25) == expected, "column after column"


def test_halves_are_rounded_to_even() -> None:
    assert tiles(499, 666, (2, 1), 0.25) == [Tile(0, 0, 285, 666), Tile(214, 0, 499, 666)]
    # 5 / 2 = 2.5 twice: down to 2, and the second tile begins there
    assert tiles(5, 4, (2, 1), 0.0) == [Tile(0, 0, 2, 4), Tile(2, 0, 5, 4)]


def test_a_tile_that_is_the_whole_image_is_left_out() -> None:
    assert tiles(1, 1, (2, 1), 0.9) == [], "both are"
    assert tiles(2, 40, (1, 2), 0.0) == [Tile(0, 0, 2, 20), Tile(0, 20, 2, 40)]


@given(
    st.integers(1, 3000), st.integers(1, 3000), st.tuples(st.integers(1, 12), st.integers(1, 12)), st.floats(0, 0.95)
)
def test_tiles_span_the_image_or_there_are_none(width: int, height: int, grid: tuple[int, int], overlap: float) -> None:
    try:
        found = tiles(width, height, grid, overlap)
    except ValueError as error:
        assert f"{width}x{height} pixels" in str(error)
        return
    for size, ends in (
        (width, {(tile.left, tile.right) for tile in found}),
        (height, {(tile.top, tile.bottom) for tile in found}),
    ):
        reached = 0
        for start, end in sorted(ends):
            # without an overlap, the original's rounding may leave out a line
            assert 0 <= start <= reached + 1 and start < end
            reached = max(reached, end)
        assert not found or reached == size


def left_over(boxes: Sequence[Box], scores: Sequence[float], labels: Sequence[int], owners: Sequence[int]) -> list[int]:
    found = surviving(np.array(boxes), np.array(scores), np.array(labels), np.array(owners), 0.25)
    return [int(index) for index in found]


def test_the_same_object_in_two_tiles_is_returned_once() -> None:
    boxes: list[Box] = [(0, 0, 10, 10), (1, 0, 11, 10), (0, 0, 10, 10), (0, 0, 10, 10)]
    # 0 and 1 overlap by 9/11, but 2 has another label and 3 comes from the tile of 0
    assert left_over(boxes, [0.9, 0.8, 0.7, 0.6], [1, 1, 2, 1], [0, 1, 1, 0]) == [0, 2, 3]


def test_the_best_score_survives_wherever_it_stands() -> None:
    assert left_over([(0, 0, 10, 10), (1, 0, 11, 10)], [0.5, 0.8], [1, 1], [0, 1]) == [1]


@contract("Tiles", "Boxes of different tiles suppress each other by overlap and label")
def test_only_an_overlap_above_the_threshold_suppresses() -> None:
    # 4 of 16 shared: an IoU of exactly 0.25
    assert left_over([(0, 0, 10, 1), (6, 0, 16, 1)], [0.9, 0.8], [1, 1], [0, 1]) == [0, 1]
    assert left_over([(0, 0, 10, 1), (5.9, 0, 15.9, 1)], [0.9, 0.8], [1, 1], [0, 1]) == [0]


def test_a_fragment_inside_a_large_box_survives_as_its_overlap_is_small() -> None:
    assert left_over([(0, 0, 100, 100), (10, 10, 20, 20)], [0.9, 0.8], [1, 1], [0, 1]) == [0, 1]


def test_what_is_suppressed_suppresses_nothing() -> None:
    # 0 removes 1, so that 2, which overlaps 1 alone, stays
    assert left_over([(0, 0, 10, 1), (5, 0, 15, 1), (10, 0, 20, 1)], [0.9, 0.8, 0.7], [1, 1, 1], [0, 1, 2]) == [0, 2]


def test_empty_boxes_and_none_at_all_are_no_trouble() -> None:
    assert left_over([(1, 1, 1, 1), (1, 1, 1, 1)], [0.9, 0.8], [1, 1], [0, 1]) == [0, 1]
    assert surviving(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), np.zeros(0, int), 0.25).tolist() == []


def found(boxes: Sequence[Box], scores: Sequence[float]) -> Detections:
    return Detections(
        torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores), torch.zeros(len(scores), dtype=torch.int64)
    )


def test_boxes_of_tiles_come_back_to_the_image() -> None:
    parts = (Tile(0, 0, 100, 50), Tile(60, 10, 100, 50))
    whole, tile = found([(0.1, 0.2, 0.3, 0.4)], [0.5]), found([(0.0, 0.5, 0.5, 1.0)], [0.9])
    joined = join(DecodedImage((), DetectionSettings(), parts), [whole, tile], (50, 100))
    assert joined.scores.tolist() == pytest.approx([0.9, 0.5]), "best first"
    assert joined.boxes == pytest.approx(np.array([[0.6, 0.6, 0.8, 1.0], [0.1, 0.2, 0.3, 0.4]]))


def test_the_number_of_boxes_is_bounded_after_joining() -> None:
    parts = (Tile(0, 0, 100, 50), Tile(60, 10, 100, 50))
    several = [found([(0.0, 0.0, 0.1, 0.1)] * 3, [0.7, 0.6, 0.5]), found([(0.5, 0.5, 0.6, 0.6)] * 3, [0.9, 0.8, 0.4])]
    settings = DetectionSettings(box_detections_per_img=4)
    joined = join(DecodedImage((), settings, parts), several, (50, 100))
    assert joined.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6])
    hosted = join(DecodedImage((), settings.model_copy(update={"compatibility": "azureml"}), parts), several, (50, 100))
    assert hosted.scores.tolist() == pytest.approx([0.7, 0.6, 0.5, 0.9, 0.8, 0.4]), "one after one, and all of them"


@pytest.mark.parametrize("name", ["fasterrcnn_resnet18_fpn", "retinanet_resnet50_fpn", "maskrcnn_resnet18_fpn"])
def test_a_tiled_image_is_what_the_slow_way_finds(tmp_path: Path, name: str) -> None:
    # no flatter, as torchvision alone takes its padding for a part of it and pools from wrong places
    data = encoded(painted(1, 203, 151), "PNG")
    model = load_detector(write_detector_folder(tmp_path / "model", name))
    found = detected(model, data, tile_grid_size=[3, 2], tile_overlap_ratio=0.2, tile_predictions_nms_thresh=0.3)
    expected = slowly(Reference(name, SETTINGS, seeded_detector(name)), data, (3, 2), overlap=0.2, threshold=0.3)
    assert len(found) == SETTINGS["box_detections_per_img"]
    assert_alike(found, expected)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(write_detector_folder(tmp_path_factory.mktemp("detector") / "model"))


def test_tiles_are_slices_of_one_decoded_image(model: Detector) -> None:
    settings = model.settings({"tile_grid_size": "3x2"})
    inputs = model.read(encoded(painted(1, 120, 90), "PNG"), LIMITS, settings).inputs
    assert len(inputs) == model.max_inputs(settings) == 7
    assert len({one.data.image.untyped_storage().data_ptr() for one in inputs}) == 1
    assert len({one.shape for one in inputs[1:]}) == 1, "so that they share a batch"


def test_a_grid_larger_than_the_image_is_refused(model: Detector) -> None:
    with pytest.raises(ImageError, match=r"a grid of 8x8 tiles leaves nothing of a picture of 5x5 pixels") as caught:
        model.read(encoded(painted(1, 5, 5), "PNG"), LIMITS, model.settings({"tile_grid_size": [8, 8]}))
    assert caught.value.code == "tiles_empty"
