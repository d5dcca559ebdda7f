"""Every setting of detectors changes a reply as it says, whether it stands in settings.json or in a request."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.detector import Detector
from models.networks.yolov5 import build_yolov5
from settings.errors import SettingsError
from settings.load import override
from settings.model import SCHEMAS, DetectionSettings, SegmentationSettings, YoloSettings
from tests.support.contract import contract
from tests.support.detections import detected
from tests.support.folders.checkpoints import LABELS
from tests.support.folders.detector_folders import load_detector, write_detector_folder
from tests.support.images import LIMITS, encoded, painted

DATA = encoded(painted(1, 150, 200), "PNG")
FASTER, MASK = "fasterrcnn_resnet18_fpn", "maskrcnn_resnet18_fpn"
YOLO: dict[str, Any] = {"img_size": 128, "model_size": "small", "box_score_thresh": 0.1, "nms_iou_thresh": 0.5}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("detectors")
    torch.manual_seed(1)
    yolo = build_yolov5(len(LABELS), YoloSettings(**YOLO)).state_dict()
    specs = {**YOLO, "device": torch.device("cpu"), "hyp": {"lr0": 0.01}, "box_iou_thresh": 0.3, "tile_grid_size": None}
    write_detector_folder(root / "yolov5", "yolov5", state=yolo, base=YOLO, model_specs=specs)
    return {name: write_detector_folder(root / name, name) for name in (FASTER, MASK)} | {"yolov5": root / "yolov5"}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Detector]:
    return {name: load_detector(folder) for name, folder in folders.items()}


def scores(found: list[Any]) -> list[float]:
    return [one["score"] for one in found]


def overlap(one: Any, other: Any) -> float:
    (a, b, c, d), (e, f, g, h) = one["box"].values(), other["box"].values()
    shared = max(0.0, min(c, g) - max(a, e)) * max(0.0, min(d, h) - max(b, f))
    return float(shared / ((c - a) * (d - b) + (g - e) * (h - f) - shared))


@pytest.mark.parametrize("name", [FASTER, MASK, "yolov5"])
def test_only_scores_above_the_threshold_are_returned(models: dict[str, Detector], name: str) -> None:
    found = detected(models[name], DATA)
    middle = scores(found)[len(found) // 2]
    fewer = detected(models[name], DATA, box_score_thresh=middle)
    assert 0 < len(fewer) < len(found)
    assert min(scores(fewer)) > middle, "not even one that equals it"
    assert detected(models[name], DATA, box_score_thresh=1.0) == []


def test_boxes_of_a_label_overlap_no_more_than_allowed(models: dict[str, Detector]) -> None:
    def most(found: list[Any]) -> float:
        return max(overlap(a, b) for a in found for b in found if a is not b and a["label"] == b["label"])

    less, more = (detected(models[FASTER], DATA, nms_iou_thresh=threshold) for threshold in (0.05, 0.9))
    assert most(less) <= 0.05 + 1e-5 < most(more)


def test_boxes_of_yolov5_suppress_each_other_above_the_threshold(models: dict[str, Detector]) -> None:
    less, more = (detected(models["yolov5"], DATA, nms_iou_thresh=threshold) for threshold in (0.05, 0.9))
    assert 0 < len(less) < len(more)


def test_the_number_of_boxes_is_bounded(models: dict[str, Detector]) -> None:
    found = detected(models[FASTER], DATA)
    assert detected(models[FASTER], DATA, box_detections_per_img=3) == found[:3]
    assert len(detected(models[FASTER], DATA, box_detections_per_img=500, box_score_thresh=0.0)) > 100


@pytest.mark.parametrize(
    ("settings", "size"),
    [({}, (64, 48)), ({"min_size": 72}, (80, 60)), ({"max_size": 60}, (60, 45))],
    ids=["as set", "min_size", "max_size"],
)
def test_sizes_decide_what_the_network_sees(tmp_path: Path, settings: dict[str, int], size: tuple[int, int]) -> None:
    model = load_detector(write_detector_folder(tmp_path / "model", settings=settings))
    (one,) = model.read(DATA, LIMITS, model.settings({})).inputs
    height, width = one.data.size
    assert (height, width) == size
    assert one.pixels == -(-height // 32) * 32 * -(-width // 32) * 32


def test_the_square_of_yolov5_is_as_large_as_set(tmp_path: Path, folders: dict[str, Path]) -> None:
    small, large = (load_detector(folders["yolov5"]) for _ in range(2))
    settings = large.definition.settings.values.model_copy(update={"img_size": 192})
    inputs = [
        each.adapter.prepare(torch.zeros(40, 80, 3, dtype=torch.uint8), s)
        for each, s in ((small, small.settings({})), (large, settings))
    ]
    assert [(each.padded, each.size) for each in inputs] == [((128, 128), (64, 128)), ((192, 192), (96, 192))]


def test_yolov5_reads_its_size_from_what_training_left(models: dict[str, Detector]) -> None:
    values = models["yolov5"].definition.settings.values
    assert isinstance(values, YoloSettings)
    assert (values.img_size, values.model_size, values.nms_iou_thresh) == (128, "small", 0.5)


def test_tiles_find_more_and_their_overlap_decides_where(models: dict[str, Detector]) -> None:
    plain = detected(models[FASTER], DATA)
    tiled = detected(models[FASTER], DATA, tile_grid_size=[2, 2])
    assert tiled != plain
    assert tiled != detected(models[FASTER], DATA, tile_grid_size=[2, 2], tile_overlap_ratio=0.5)
    assert scores(tiled) == sorted(scores(tiled), reverse=True)


def test_boxes_of_different_tiles_suppress_each_other_above_the_threshold(models: dict[str, Detector]) -> None:
    options = {"tile_grid_size": [2, 2], "compatibility": "azureml"}
    strict, loose = (
        detected(models[FASTER], DATA, tile_predictions_nms_thresh=threshold, **options) for threshold in (0.05, 1.0)
    )
    assert len(strict) < len(loose)


@contract(
    "Tiles",
    "With tiles, boxes are not sorted and not bounded",
    "better",
    "they are, unless `compatibility` is `azureml`",
)
def test_azureml_tells_all_boxes_of_all_tiles_in_their_order(models: dict[str, Detector]) -> None:
    options = {"tile_grid_size": [2, 2], "tile_predictions_nms_thresh": 1.0}
    ours, hosted = (detected(models[FASTER], DATA, **options, **more) for more in ({}, {"compatibility": "azureml"}))
    assert len(hosted) > len(ours) == 12
    assert scores(hosted)[:12] == scores(detected(models[FASTER], DATA)), "the whole picture first"
    assert scores(hosted) != sorted(scores(hosted), reverse=True)
    assert ours == sorted(hosted, key=lambda one: -one["score"])[:12]


@contract("Tiles", "yolov5 is tiled as well")
def test_yolov5_is_tiled_too(models: dict[str, Detector]) -> None:
    hosted = detected(models["yolov5"], DATA, tile_grid_size=[2, 1], compatibility="azureml")
    assert len(hosted) > len(detected(models["yolov5"], DATA)) > 0


def test_masks_follow_their_boxes_into_tiles(models: dict[str, Detector]) -> None:
    found = detected(models[MASK], DATA, tile_grid_size=[2, 2])
    assert found != detected(models[MASK], DATA)
    for one in found:
        left, top, right, bottom = one["box"].values()
        for outline in one["polygon"]:
            x, y = outline[::2], outline[1::2]
            assert left - 0.05 <= min(x) <= max(x) <= right + 0.05
            assert top - 0.05 <= min(y) <= max(y) <= bottom + 0.05


def test_mask_settings_change_the_outlines(models: dict[str, Detector]) -> None:
    def outlines(**given: Any) -> list[Any]:
        return [one["polygon"] for one in detected(models[MASK], DATA, **given)]

    assert outlines() != outlines(mask_pixel_score_threshold=0.6)
    longest = max(len(outline) // 2 for polygon in outlines(max_number_of_polygon_points=1000) for outline in polygon)
    assert (
        longest
        > 20
        >= max(len(outline) // 2 for polygon in outlines(max_number_of_polygon_points=20) for outline in polygon)
    )
    assert all("mask" in one for one in detected(models[MASK], DATA, export_as_image=True, image_type="PNG"))


def turned() -> tuple[bytes, bytes]:
    """An image whose EXIF data ask for a quarter turn, and the same image turned."""
    image = Image.fromarray(painted(1, 150, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = image.transpose(Image.Transpose.ROTATE_270)
    return encoded(image, "PNG", exif=exif), encoded(upright, "PNG")


@contract("Images and boxes", "Rotation cannot be chosen", "better", "`exif` chooses it for detectors")
@pytest.mark.parametrize(("name", "default"), [(FASTER, False), ("yolov5", True)])
def test_rotation_is_honoured_where_it_is_set(models: dict[str, Detector], name: str, default: bool) -> None:
    data, upright = turned()
    as_stored, as_turned = detected(models[name], DATA), detected(models[name], upright)
    assert detected(models[name], data, exif=False) == as_stored
    assert detected(models[name], data, exif=True) == as_turned
    assert detected(models[name], data) == (as_turned if default else as_stored)


def test_what_a_request_sets_is_what_a_file_sets(tmp_path: Path, models: dict[str, Detector]) -> None:
    given = {"box_score_thresh": 0.2, "tile_grid_size": "2x1", "box_detections_per_img": 7}
    model = load_detector(write_detector_folder(tmp_path / "model", settings=given))
    assert detected(model, DATA) == detected(models[FASTER], DATA, **given)
    assert detected(model, DATA, tile_grid_size=None) == detected(
        models[FASTER], DATA, box_score_thresh=0.2, box_detections_per_img=7
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"box_score_tresh": 0.5}, "the key 'box_score_tresh' is not known. Did you mean 'box_score_thresh'"),
        ({"min_size": 100}, "the key 'min_size' is fixed for all requests, in settings.json"),
        ({"valid_crop_size": 100}, "the key 'valid_crop_size' is not known"),
        ({"box_score_thresh": 2}, "'box_score_thresh' is 2; expected a number from 0 to 1"),
        ({"box_score_thresh": "0.5"}, "'box_score_thresh' is '0.5'; expected a number from 0 to 1"),
        ({"tile_grid_size": [1, 1]}, "a grid of one tile is the whole picture"),
        ({"nms_iou_thresh": 0.5, "box_nms_thresh": 0.4}, "Keep one of the two"),
        ({"compatibility": "torchvision"}, "expected azureml or null"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_a_request_may_not_set_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        override(DetectionSettings(), given, "inference_parameters")
    assert str(caught.value).startswith("inference_parameters: ")
    assert words in str(caught.value)


def test_all_that_is_set_per_request_is_a_setting_and_no_size_is() -> None:
    for schema in SCHEMAS:
        assert set(schema.per_request) <= schema.model_fields.keys() - set(schema.sizes)
    assert set(SegmentationSettings.per_request) == SegmentationSettings.model_fields.keys() - {"min_size", "max_size"}
    assert np.unique([*YoloSettings.per_request]).size == len(YoloSettings.per_request) == 7
