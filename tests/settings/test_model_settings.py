import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.json_file import JsonFile
from settings.load import load_model_settings, spellings
from settings.model import (
    SCHEMAS,
    ClassificationSettings,
    DetectionSettings,
    ModelSettings,
    QueryDetectionSettings,
    QuerySegmentationSettings,
    SegmentationSettings,
    YoloSettings,
)
from tests.support.contract import contract
from tests.support.folders.checkpoints import write_json

SIDE, SHARE = "a whole number from 1 to 8192", "a number from 0 to 1"
EXPECTED = {
    "valid_resize_size": SIDE,
    "valid_crop_size": SIDE,
    "train_crop_size": SIDE,
    "reply_format": "one of probs, ranked",
    "box_score_thresh": SHARE,
    "nms_iou_thresh": SHARE,
    "tile_grid_size": "a list of 2, each a whole number from 1 to 64 or null",
    "tile_overlap_ratio": "a number from 0 to below 1",
    "tile_predictions_nms_thresh": SHARE,
    "min_size": SIDE,
    "max_size": SIDE,
    "box_detections_per_img": "a whole number from 1 to 10000",
    "mask_pixel_score_threshold": SHARE,
    "max_number_of_polygon_points": "a whole number from 3 to 100000",
    "export_as_image": "true or false",
    "image_type": "one of JPG, PNG, BMP",
    "exif": "true or false",
    "compatibility": "azureml or null",
    "img_size": "a multiple of 32 from 32 to 8192",
    "model_size": "one of small, medium, large, xlarge, extra_large",
}
BOXES = {
    "box_score_thresh": 0.3,
    "nms_iou_thresh": 0.5,
    "tile_grid_size": None,
    "tile_overlap_ratio": 0.25,
    "tile_predictions_nms_thresh": 0.25,
    "exif": False,
    "compatibility": None,
}
DETECTION = BOXES | {"min_size": 600, "max_size": 1333, "box_detections_per_img": 100}
MASKS = {
    "mask_pixel_score_threshold": 0.5,
    "max_number_of_polygon_points": 100,
    "export_as_image": False,
    "image_type": "JPG",
}
QUERIES = BOXES | {"box_score_thresh": 0.5, "nms_iou_thresh": 1.0, "exif": True, "box_detections_per_img": 100}
DEFAULTS: dict[type[ModelSettings], dict[str, Any]] = {
    ClassificationSettings: {
        "valid_resize_size": 256,
        "valid_crop_size": 224,
        "train_crop_size": 224,
        "reply_format": "probs",
    },
    DetectionSettings: DETECTION,
    SegmentationSettings: DETECTION | MASKS,
    YoloSettings: BOXES | {"box_score_thresh": 0.1, "exif": True, "img_size": 640, "model_size": "medium"},
    QueryDetectionSettings: QUERIES,
    QuerySegmentationSettings: QUERIES | MASKS,
}
ALIASES = {
    "resize_size": "valid_resize_size",
    "crop_size": "valid_crop_size",
    "box_nms_thresh": "nms_iou_thresh",
    "box_iou_thresh": "nms_iou_thresh",
}
WRONG_GRIDS = [
    0,
    6,
    True,
    "abc",
    "3x",
    "3x2x1",
    "-3x2",
    "3.5x2",
    [3],
    [3, 2, 1],
    [0, 2],
    [3, 65],
    [3.5, 2],
    ["3", 2],
    {},
]


def bounds(schema: type[ModelSettings], name: str) -> tuple[float, float] | None:
    part = schema.model_json_schema(by_alias=False)["properties"][name]
    if "minimum" not in part:
        return None
    return part["minimum"], part.get("maximum", part.get("exclusiveMaximum"))


def wrong_values(schema: type[ModelSettings], name: str) -> list[Any]:
    part = schema.model_json_schema(by_alias=False)["properties"][name]
    if name == "tile_grid_size":
        return WRONG_GRIDS
    values: list[Any] = [[], {}, [1], "something else"]
    if part.get("type") == "integer":
        return [*values, True, 100.5, "100", math.nan, part["minimum"] - 1, part["maximum"] + 1]
    if part.get("type") == "number":
        high = part["exclusiveMaximum"] if "exclusiveMaximum" in part else part["maximum"] + 0.001
        return [*values, True, "0.5", math.nan, math.inf, -0.001, high, 10**400]
    return [*values, 0, 1, 0.5, "jpg", "Medium", "true"]


def cases() -> Iterator[Any]:
    for schema in SCHEMAS:
        for name in schema.model_fields:
            for value in wrong_values(schema, name):
                yield pytest.param(schema, name, value, id=f"{schema.__name__}-{name}-{str(value)[:20]}")


RANGES = [
    pytest.param(schema, name, id=f"{schema.__name__}-{name}")
    for schema in SCHEMAS
    for name in schema.model_fields
    if bounds(schema, name)
]


def load(schema: type[ModelSettings], folder: Path, content: Any, **others: Any) -> ModelSettings:
    return load_model_settings(
        schema, file=JsonFile.read(write_json(folder / "settings.json", content)), **others
    ).values


@contract("settings.json", "All keys and their defaults")
@pytest.mark.parametrize("schema", SCHEMAS)
def test_without_any_source_the_defaults_of_training_hold(schema: type[ModelSettings]) -> None:
    resolved = load_model_settings(schema)
    assert resolved.values.model_dump() == DEFAULTS[schema]
    assert resolved.sources == dict.fromkeys(DEFAULTS[schema], "default")
    assert resolved.warnings == ()


@contract(
    "settings.json",
    "Wrong values fail every request",
    "better",
    "they end the start, with file, key, value and what was expected",
)
@pytest.mark.parametrize(("schema", "name", "value"), list(cases()))
def test_a_wrong_value_is_refused_with_file_key_value_and_expectation(
    tmp_path: Path, schema: type[ModelSettings], name: str, value: Any
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(schema, tmp_path, {name: value})
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'settings.json'}: {name!r} is {excerpt(value)}; expected {EXPECTED[name]}")
    assert message.count("; expected") == 1


@pytest.mark.parametrize(("schema", "name"), RANGES)
def test_both_ends_of_a_range_are_in_it_and_whole_numbers_may_stand_for_fractions(
    tmp_path: Path, schema: type[ModelSettings], name: str
) -> None:
    found = bounds(schema, name)
    assert found is not None
    low, high = found
    if "below" in EXPECTED[name]:
        high = math.nextafter(high, 0)
    room = {"min_size": {"max_size": 8192}, "max_size": {"min_size": 1}}.get(name, {})
    for value in (low, high):
        assert getattr(load(schema, tmp_path, {**room, name: value}), name) == value


@contract(
    "settings.json",
    "`resize_size` and `crop_size` are other names",
    "better",
    "names of the documentation, such as `box_nms_thresh`, count as well instead of being ignored",
)
@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_sets_its_field_and_is_named_in_errors(tmp_path: Path, alias: str, name: str) -> None:
    schemas = [schema for schema in SCHEMAS if name in schema.model_fields]
    for schema in schemas:
        assert getattr(load(schema, tmp_path, {alias: 1}), name) == 1
        with pytest.raises(SettingsError, match=f"'{alias}' is 'x'; expected {EXPECTED[name]}"):
            load(schema, tmp_path, {alias: "x"})


def test_there_are_no_other_spellings() -> None:
    for schema in SCHEMAS:
        aliases = {alias: name for alias, name in ALIASES.items() if name in schema.model_fields}
        assert spellings(schema) == {name: name for name in schema.model_fields} | aliases


@contract(
    "settings.json",
    '`"(3, 2)"` as a tile grid loads, and then fails every request',
    "better",
    "every spelling of training is read",
)
@pytest.mark.parametrize("grid", [[3, 2], "(3, 2)", "3x2", "3X2", "3, 2", " ( 3 x 2 ) "], ids=str)
def test_every_spelling_of_a_tile_grid(tmp_path: Path, grid: Any) -> None:
    for schema in (DetectionSettings, SegmentationSettings, YoloSettings):
        settings = load(schema, tmp_path, {"tile_grid_size": grid})
        assert settings.model_dump()["tile_grid_size"] == (3, 2)


def test_a_tuple_of_a_checkpoint_is_a_tile_grid() -> None:
    assert load_model_settings(YoloSettings, checkpoint={"tile_grid_size": (3, 2)}).values.tile_grid_size == (3, 2)


@pytest.mark.parametrize("grid", [[1, 1], "1x1", "(1, 1)"], ids=str)
def test_a_grid_of_one_tile_says_how_to_switch_tiling_off(tmp_path: Path, grid: Any) -> None:
    with pytest.raises(SettingsError, match="leave the key out to switch tiling off"):
        load(DetectionSettings, tmp_path, {"tile_grid_size": grid})


@pytest.mark.parametrize(("side", "next_side"), [(33, 64), (500, 512), (639, 640), (8190, 8192)])
def test_a_square_that_yolo_cannot_divide_into_cells_names_the_next_one(
    tmp_path: Path, side: int, next_side: int
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(YoloSettings, tmp_path, {"img_size": side})
    expected = f"'img_size' is {side}; expected a multiple of 32 from 32 to 8192 (the next multiple is {next_side})."
    assert str(caught.value).endswith(expected)
    assert load(YoloSettings, tmp_path, {"img_size": next_side}).model_dump()["img_size"] == next_side


def test_sizes_that_contradict_each_other_name_both_and_where_they_stand(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(DetectionSettings, tmp_path, {"min_size": 1000}, checkpoint={"max_size": 900})
    for part in ("settings.json", "checkpoint", "min_size 1000 is larger than max_size 900"):
        assert part in str(caught.value)


def test_several_wrong_values_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(SegmentationSettings, tmp_path, {"image_type": "TIFF", "export_as_image": 1})
    assert "'image_type' is 'TIFF'" in str(caught.value)
    assert "'export_as_image' is 1" in str(caught.value)


def test_the_file_wins_over_the_checkpoint_and_that_over_the_default(tmp_path: Path) -> None:
    file = write_json(tmp_path / "settings.json", {"resize_size": 300})
    saved = {"valid_resize_size": 280, "valid_crop_size": 240}
    resolved = load_model_settings(ClassificationSettings, file=JsonFile.read(file), checkpoint=saved)
    assert resolved.values.model_dump() == {
        "valid_resize_size": 300,
        "valid_crop_size": 240,
        "train_crop_size": 224,
        "reply_format": "probs",
    }
    assert resolved.sources == {
        "valid_resize_size": str(file),
        "valid_crop_size": "checkpoint",
        "train_crop_size": "default",
        "reply_format": "default",
    }


def test_what_the_architecture_fixes_wins_and_a_contradiction_is_a_warning(tmp_path: Path) -> None:
    file = write_json(tmp_path / "settings.json", {"crop_size": 300, "valid_resize_size": 256})
    fixed = {"valid_resize_size": 256, "valid_crop_size": 224}
    saved = {"valid_crop_size": 299}
    resolved = load_model_settings(ClassificationSettings, file=JsonFile.read(file), checkpoint=saved, fixed=fixed)
    assert resolved.values.valid_crop_size == 224
    assert resolved.sources["valid_crop_size"] == "architecture"
    (warning,) = resolved.warnings
    for part in (str(file), "'crop_size' is 300", "always uses 224"):
        assert part in warning


@pytest.mark.parametrize("first", ["valid_resize_size", "resize_size"])
def test_two_spellings_must_agree(tmp_path: Path, first: str) -> None:
    second = ({"valid_resize_size", "resize_size"} - {first}).pop()
    assert load(ClassificationSettings, tmp_path, {first: 300, second: 300}).model_dump()["valid_resize_size"] == 300
    with pytest.raises(SettingsError) as caught:
        load(ClassificationSettings, tmp_path, {first: 300, second: 280})
    for part in (str(tmp_path), f"{first!r}", f"{second!r}", "300", "280", "Keep one"):
        assert part in str(caught.value)


@pytest.mark.parametrize("first", ["valid_resize_size", "resize_size"])
def test_null_leaves_the_decision_to_other_sources_whatever_its_place(tmp_path: Path, first: str) -> None:
    second = ({"valid_resize_size", "resize_size"} - {first}).pop()
    for content in ({first: None, second: 300}, {second: 300, first: None}):
        assert load(ClassificationSettings, tmp_path, content).model_dump()["valid_resize_size"] == 300
    saved = {"valid_resize_size": 280}
    found = load(ClassificationSettings, tmp_path, {first: None}, checkpoint=saved)
    assert found.model_dump()["valid_resize_size"] == 280


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("valid_crop_sise", "is not known and is ignored. Did you mean 'valid_crop_size'"),
        ("min_size", "belongs to another kind of model and is ignored."),
        ("box_nms_thresh", "belongs to another kind of model and is ignored."),
        ("qqqq", "is not known and is ignored."),
        ("\ud800", "is not known and is ignored."),
    ],
    ids=["misspelt", "of detection", "alias of detection", "like nothing", "lone surrogate"],
)
def test_a_stray_key_is_a_warning_or_with_strict_an_error(tmp_path: Path, key: str, hint: str) -> None:
    file = write_json(tmp_path / "settings.json", {key: 64})
    resolved = load_model_settings(ClassificationSettings, file=JsonFile.read(file))
    assert resolved.values == ClassificationSettings()
    (warning,) = resolved.warnings
    assert warning.startswith(f"{file}: the key {key!r} {hint}")
    with pytest.raises(SettingsError, match="the key"):
        load_model_settings(ClassificationSettings, file=JsonFile.read(file), strict=True)


def test_stray_keys_of_a_checkpoint_are_nobodys_fault() -> None:
    checkpoint: dict[Any, Any] = {"some_training_option": 1, 5: 6}
    assert load_model_settings(ClassificationSettings, checkpoint=checkpoint, strict=True).warnings == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1', "not valid JSON"),
        (b"\xff\xfe{\x00}", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 100_000, "not valid JSON"),
        (b'{"valid_crop_size": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[1]", "a JSON list; expected an object"),
        (b'"text"', "a JSON str; expected an object"),
        (b"null", "a JSON NoneType; expected an object"),
        (b"NaN", "a JSON float; expected an object"),
    ],
    ids=[
        *("empty", "single quotes", "half", "half of utf-16", "deep lists", "deep objects", "a very long number"),
        *("list", "text", "null", "nan"),
    ],
)
def test_a_file_that_is_no_object_is_named(tmp_path: Path, text: bytes, why: str) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(text)
    with pytest.raises(SettingsError) as caught:
        load_model_settings(ClassificationSettings, file=JsonFile.read(file))
    assert str(caught.value).startswith(str(file))
    assert why in str(caught.value)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"valid_crop_size": 64}).encode())
    assert load_model_settings(ClassificationSettings, file=JsonFile.read(file)).values.valid_crop_size == 64


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, what: str) -> None:
    file = tmp_path / "settings.json"
    if what == "folder":
        file.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_model_settings(ClassificationSettings, file=JsonFile.read(file))


@pytest.mark.parametrize(
    "value", [np.int64(300), np.uint8(200), torch.tensor(300), np.array(300)], ids=["int64", "uint8", "tensor", "array"]
)
def test_a_checkpoint_may_hold_numbers_of_numpy_and_pytorch(value: Any) -> None:
    found = load_model_settings(ClassificationSettings, checkpoint={"valid_resize_size": value}).values
    assert found.valid_resize_size == int(value)
    assert type(found.valid_resize_size) is int


def test_a_checkpoint_may_hold_fractions_and_grids_of_numpy() -> None:
    saved = {"box_score_thresh": np.float32(0.5), "tile_grid_size": np.array([3, 2])}
    found = load_model_settings(DetectionSettings, checkpoint=saved).values
    assert (found.box_score_thresh, found.tile_grid_size) == (0.5, (3, 2))


def test_a_checkpoint_with_an_array_for_a_number_is_refused_and_named() -> None:
    for saved in ({"valid_crop_size": np.arange(2)}, {"valid_crop_size": 224, "crop_size": np.arange(2)}):
        with pytest.raises(SettingsError, match=r"checkpoint: '(valid_)?crop_size' is \[0, 1\]"):
            load_model_settings(ClassificationSettings, checkpoint=saved)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ClassificationSettings().valid_crop_size = 64  # type: ignore[misc]


def test_null_switches_off_the_tiling_that_a_checkpoint_asks_for(tmp_path: Path) -> None:
    file = write_json(tmp_path / "settings.json", {"tile_grid_size": None})
    found = load_model_settings(DetectionSettings, file=JsonFile.read(file), checkpoint={"tile_grid_size": (3, 2)})
    assert found.values.tile_grid_size is None
    assert found.sources["tile_grid_size"] == str(file)


def test_what_an_architecture_suggests_stands_below_the_checkpoint() -> None:
    suggested = {"valid_resize_size": 300, "valid_crop_size": 280}
    found = load_model_settings(ClassificationSettings, defaults=suggested, checkpoint={"valid_crop_size": 200})
    assert (found.values.valid_resize_size, found.values.valid_crop_size) == (300, 200)
    assert found.sources["valid_resize_size"] == "model default"
