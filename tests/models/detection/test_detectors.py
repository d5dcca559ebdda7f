"""Every architecture of detectors against torchvision alone, and what would make boxes wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.architecture.catalog import architecture, architecture_names
from models.assembly import assemble
from models.errors import ModelError
from models.folder.registration import register
from models.loaded import load_classifier
from tests.support.contract import contract
from tests.support.detections import detected
from tests.support.folders.checkpoints import LABELS, write_json
from tests.support.folders.detector_folders import (
    NAMES,
    SETTINGS,
    Reference,
    assert_alike,
    build,
    load_detector,
    seeded_detector,
    write_detector_folder,
)
from tests.support.images import LIMITS, encoded, painted

FASTER, RETINA, MASK = "fasterrcnn_resnet18_fpn", "retinanet_resnet50_fpn", "maskrcnn_resnet18_fpn"
IMAGES = [encoded(painted(seed, *size), "PNG") for seed, size in enumerate([(320, 240), (150, 200), (60, 50)])]


def reference(name: str, **settings: Any) -> Reference:
    return Reference(name, {**SETTINGS, **settings}, seeded_detector(name))


@contract("Images and boxes", "Faster R-CNN, Mask R-CNN and RetinaNet find what torchvision finds")
@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_finds_what_torchvision_finds(tmp_path: Path, name: str) -> None:
    expected = reference(name)
    model = load_detector(write_detector_folder(tmp_path / "model", name))
    assert model.definition.labels == LABELS
    assert model.definition.task.name == ("segmentation" if name.startswith("mask") else "detection")
    count = 0
    for data in IMAGES if "18" in name or "50" in name else IMAGES[:1]:
        found, boxes = detected(model, data), expected.boxes(data)
        assert_alike(found, boxes)
        count += len(found)
    assert count >= 5, "too few boxes to tell anything"


@contract("Checkpoints and model folders", "All names of detectors")
def test_all_detectors_of_the_contract_are_known() -> None:
    assert set(NAMES) <= set(architecture_names())
    assert {architecture(name).tasks[0] for name in NAMES} == {"detection", "segmentation"}


def test_a_thin_image_first_spoils_no_later_one(tmp_path: Path) -> None:
    thin = encoded(painted(5, 400, 12), "PNG")
    model = load_detector(write_detector_folder(tmp_path / "model"))
    assert detected(model, thin)
    assert_alike(detected(model, IMAGES[0]), reference(FASTER).boxes(IMAGES[0]))


def test_torchvision_alone_is_spoilt_by_a_thin_image() -> None:
    spoilt = reference(FASTER)
    spoilt.boxes(encoded(painted(5, 400, 12), "PNG"))
    with pytest.raises(AssertionError):
        assert_alike(spoilt.boxes(IMAGES[0]), reference(FASTER).boxes(IMAGES[0]))


def old_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names of torchvision before 0.13, by hand."""
    renamed = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if "inner_blocks" in name or "layer_blocks" in name:
            parts.pop(4)
        elif name.startswith("rpn.head.conv."):
            parts = ["rpn", "head", "conv", parts[-1]]
        elif name.startswith("roi_heads.mask_head."):
            parts = ["roi_heads", "mask_head", f"mask_fcn{int(parts[2]) + 1}", parts[-1]]
        elif "_head.conv." in name:
            parts = [*parts[:3], str(2 * int(parts[3])), parts[-1]]
        renamed[".".join(parts)] = tensor
    return renamed


def with_counters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    norms = [name.removesuffix("running_mean") for name in state if name.endswith("running_mean")]
    return {**state, **{f"{name}num_batches_tracked": torch.tensor(7) for name in norms}}


@contract("Checkpoints and model folders", "Tensors by the names of older versions of torchvision are read")
@pytest.mark.parametrize("name", [FASTER, RETINA, MASK])
def test_older_state_dicts_find_the_same(tmp_path: Path, name: str) -> None:
    state = with_counters(old_names(seeded_detector(name)))
    assert state.keys() != seeded_detector(name).keys()
    model = load_detector(write_detector_folder(tmp_path / "model", name, state=state))
    assert_alike(detected(model, IMAGES[0]), reference(name).boxes(IMAGES[0]))


def test_old_names_are_those_that_torchvision_itself_renames() -> None:
    network = build(MASK, len(LABELS))
    network.load_state_dict(old_names(seeded_detector(MASK)))  # without metadata, a state dict counts as old


def test_a_mask_predictor_of_another_width_is_built_as_the_weights_are(tmp_path: Path) -> None:
    state = dict(seeded_detector(MASK))
    narrow = torch.nn.ConvTranspose2d(256, 64, 2, 2), torch.nn.Conv2d(64, len(LABELS) + 1, 1)
    for part, layer in zip(("conv5_mask", "mask_fcn_logits"), narrow, strict=True):
        state |= {f"roi_heads.mask_predictor.{part}.{key}": value for key, value in layer.state_dict().items()}
    folder = write_detector_folder(tmp_path / "model", MASK, state=state, model_specs={"mask_predictor_hidden_dim": 64})
    found = detected(load_detector(folder), IMAGES[0])
    assert found and all(one["polygon"] is not None for one in found)


def test_plain_weights_with_a_manifest_are_served(tmp_path: Path) -> None:
    torch.save(dict(seeded_detector(FASTER)), tmp_path / "model.pt")
    write_json(tmp_path / "manifest.json", {"architecture": FASTER, "labels": list(LABELS)})
    write_json(tmp_path / "settings.json", SETTINGS)
    model = load_detector(tmp_path)
    assert model.definition.task.name == "detection"
    assert_alike(detected(model, IMAGES[0]), reference(FASTER).boxes(IMAGES[0]))


@contract("settings.json", "Detectors without any settings take those of torchvision")
def test_where_nothing_is_set_the_defaults_are_those_of_torchvision(tmp_path: Path) -> None:
    torch.save(dict(seeded_detector(FASTER)), tmp_path / "model.pt")
    write_json(tmp_path / "manifest.json", {"architecture": FASTER, "labels": list(LABELS)})
    write_json(tmp_path / "settings.json", {"tile_overlap_ratio": 0.5})

    def sizes() -> tuple[Any, ...]:
        values: Any = assemble(tmp_path)[0].settings.values
        return values.min_size, values.max_size, values.box_score_thresh, values.tile_overlap_ratio

    assert sizes() == (800, 1333, 0.05, 0.5)
    write_json(tmp_path / "settings.json", {"max_size": 1000})
    assert sizes() == (600, 1000, 0.3, 0.25)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "multiclass"}, "the task is 'multiclass', but fasterrcnn_resnet18_fpn is for detection"),
        ({"labels": ["can"]}, "of another shape"),
        ({"architecture": MASK}, "missing (roi_heads.mask_head"),
    ],
    ids=["task", "labels", "architecture"],
)
def test_what_does_not_fit_is_said(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    torch.save(dict(seeded_detector(FASTER)), tmp_path / "model.pt")
    write_json(tmp_path / "manifest.json", {"architecture": FASTER, "labels": list(LABELS)} | change)
    with pytest.raises(ModelError) as caught:
        load_detector(tmp_path)
    assert words in str(caught.value)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    state = dict(seeded_detector(FASTER))
    name = "roi_heads.box_predictor.cls_score.weight"
    state[name] = torch.full_like(state[name], torch.nan)
    with pytest.raises(ModelError, match=rf"the values of {name} are not finite"):
        load_detector(write_detector_folder(tmp_path / "model", state=state))


def test_a_detector_where_a_classifier_is_needed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds a model for detection; expected one that classifies"):
        load_classifier(write_detector_folder(tmp_path / "model"))


@pytest.mark.parametrize("name", [FASTER, RETINA, MASK])
def test_a_reply_does_not_depend_on_batch_mates(tmp_path: Path, name: str) -> None:
    model = load_detector(write_detector_folder(tmp_path / "model", name))
    data = [encoded(painted(seed, 160, 120), "PNG") for seed in range(4)]
    read = [model.read(one, LIMITS, model.settings({})) for one in data]
    together = model.outputs([each.inputs[0].data for each in read])
    for each, output, one in zip(read, together, data, strict=True):
        assert_alike(model.combine(each, [output]).boxes, detected(model, one))  # type: ignore[union-attr]


def test_bf16_finds_nearly_the_same_boxes(tmp_path: Path) -> None:
    folder = write_detector_folder(tmp_path / "model")
    half, full = load_detector(folder, precision="bf16"), load_detector(folder)
    ours, theirs = detected(half, IMAGES[0])[0], detected(full, IMAGES[0])[0]
    assert ours != theirs
    corners = [np.array(list(one["box"].values())) for one in (ours, theirs)]
    assert np.abs(corners[0] - corners[1]).max() < 0.05


def test_a_registered_detector_finds_the_same(tmp_path: Path) -> None:
    folder = write_detector_folder(tmp_path / "model")
    registered = register(folder, tmp_path / "root", "fridge")
    manifest = registered.manifest
    assert (manifest.task, manifest.labels) == ("detection", list(LABELS))
    assert manifest.sizes == {"min_size": SETTINGS["min_size"], "max_size": SETTINGS["max_size"]}
    assert detected(load_detector(registered.path), IMAGES[0]) == detected(load_detector(folder), IMAGES[0])


def test_thousands_of_boxes_are_returned(tmp_path: Path) -> None:
    model = load_detector(write_detector_folder(tmp_path / "model"))
    given = {"box_score_thresh": 0.0, "nms_iou_thresh": 1.0, "box_detections_per_img": 10000, "tile_grid_size": [2, 2]}
    found = detected(model, IMAGES[0], **given)
    assert len(found) > 2000
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
