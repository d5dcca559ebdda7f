"""The drawn images: the same everywhere, and labels, boxes and masks that agree with what is seen."""

import json
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from data.check import FaultPolicy, check
from data.outlines import pixels_of
from data.reading import read_dataset
from data.sources.image_store import ImageStore
from examples.fridge.__main__ import main
from examples.fridge.dataset import LABEL_FILE, write_dataset
from examples.fridge.scene import LABELS, MOST_OBJECTS, draw_scene
from models.folder.manifest import TaskName
from tests.support.repository import ROOT

SMALL = (160, 120)


def test_a_seed_draws_the_same_bytes_in_every_process() -> None:
    code = (
        "from examples.fridge.scene import draw_scene; from hashlib import sha256;"
        "print(sha256(draw_scene(7, size=(160, 120)).image.tobytes()).hexdigest())"
    )
    elsewhere = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip()
    assert elsewhere == sha256(draw_scene(7, size=SMALL).image.tobytes()).hexdigest()


def test_seeds_differ() -> None:
    assert not np.array_equal(draw_scene(1, size=SMALL).image, draw_scene(2, size=SMALL).image)


@pytest.mark.parametrize("seed", range(24))
def test_boxes_masks_and_labels_agree(seed: int) -> None:
    scene = draw_scene(seed, size=SMALL)
    assert scene.image.shape == (120, 160, 3)
    assert scene.image.dtype == np.uint8
    assert 1 <= len(scene.objects) <= MOST_OBJECTS
    assert np.sum([item.mask for item in scene.objects], axis=0).max() == 1, "a pixel shows one object"
    for item in scene.objects:
        assert item.label in LABELS
        left, top, right, bottom = item.box
        inside = item.mask[top:bottom, left:right]
        assert inside.sum() == item.mask.sum() >= 40, "the box holds the whole mask, which is large enough to see"
        edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
        assert all(edge.any() for edge in edges), "the box is tight"


def test_masks_lie_where_the_object_changed_the_image() -> None:
    one = draw_scene(11, size=SMALL, labels=["can"])
    other = draw_scene(11, size=SMALL, labels=["carton"])
    apart = ~(one.objects[0].mask | other.objects[0].mask)
    changed = np.abs(one.image.astype(int) - other.image).mean(2)
    assert changed[one.objects[0].mask].mean() > 3 * changed[apart].mean(), "the room does not depend on the labels"


def test_labels_and_counts_as_asked() -> None:
    assert [item.label for item in draw_scene(3, size=SMALL, labels=["can", "can", "carton"]).objects] == [
        "can",
        "can",
        "carton",
    ]
    assert len(draw_scene(3, size=SMALL, count=4).objects) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["kettle"]}, "Unknown label 'kettle'; the labels are can, carton"),
        ({"count": 5}, "1 to 4 objects"),
        ({"labels": []}, "1 to 4 objects"),
        ({"labels": ["can"], "count": 2}, "1 to 4 objects"),
        ({"size": (640, 31)}, "at least 32 pixels"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_scene(0, **options)  # type: ignore[arg-type]


def test_a_dataset_holds_images_masks_and_annotations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["draw", str(tmp_path / "drawn"), "--count", "3", "--size", "160x120", "--objects", "2", "--seed", "5"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 3
    entries = json.loads((tmp_path / "drawn/annotations.json").read_text())
    assert [entry["seed"] for entry in entries] == [5, 6, 7]
    for entry in entries:
        scene = draw_scene(entry["seed"], size=SMALL, count=2)
        with Image.open(tmp_path / "drawn" / entry["image"]) as image:
            assert np.abs(np.asarray(image).astype(int) - scene.image).mean() < 12, "a JPEG of the drawing"
        for item, found in zip(scene.objects, entry["objects"], strict=True):
            assert (found["label"], tuple(found["box"])) == (item.label, item.box)
            with Image.open(tmp_path / "drawn" / found["mask"]) as mask:
                assert np.array_equal(np.asarray(mask) > 0, item.mask)
    assert main(arguments) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("task", get_args(TaskName))
def test_a_dataset_is_labelled_for_its_task(tmp_path: Path, task: TaskName) -> None:
    count = 18 if task == "multiclass" else 12  # more than 16 are drawn by several processes
    annotations = write_dataset(tmp_path / "drawn", 4, count, SMALL, task=task)
    dataset = read_dataset(tmp_path / "drawn" / LABEL_FILE)
    checked = check(dataset, ImageStore(dataset.folder), FaultPolicy(deep=True))
    assert (dataset.task, len(checked.images)) == (task, count)
    assert {fault.fault for fault in checked.faults} <= {"label_rare"}
    for image, entry in zip(dataset.images, annotations, strict=True):
        scene = draw_scene(entry["seed"], size=SMALL, labels=[item["label"] for item in entry["objects"]])
        assert (image.url, image.size) == (entry["image"], SMALL)
        if task in ("multiclass", "multilabel"):
            assert image.labels == tuple(sorted({item.label for item in scene.objects}))
            continue
        for item, found in zip(scene.objects, image.objects, strict=True):
            assert (found.label, np.multiply(found.box, SMALL * 2)) == (item.label, pytest.approx(item.box))
            assert task == "detection" or np.array_equal(pixels_of(found, SMALL[::-1]), item.mask)
    if task == "multiclass":
        counts = Counter(image.labels[0] for image in dataset.images)
        assert counts == {"can": 5, "carton": 5, "milk_bottle": 4, "water_bottle": 4}, "the labels take turns"


def test_several_objects_have_no_one_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", str(tmp_path / "drawn"), "--task", "multiclass", "--objects", "2"]) == 1
    assert "An image of one label shows one object, not 2" in capsys.readouterr().err
    assert not (tmp_path / "drawn").exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["draw"], ["draw", "x", "--size", "640"], ["build", "--seed", "-1"], ["draw", "x", "--count", "0"]],
)
def test_bad_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage" in capsys.readouterr().err
