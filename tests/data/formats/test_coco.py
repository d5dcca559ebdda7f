import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from data.dataset import Dataset
from data.encodings.coco_counts import counts_of_text, text_of_counts
from data.errors import DataError
from data.format import PlacedImage, Size, WriteOptions
from data.formats.coco import FORMAT
from data.outlines import run_lengths
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject, RunLengths

CATEGORIES = [{"id": 7, "name": "can"}, {"id": 3, "name": "carton"}]
IMAGE = {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100}
BOX = {"image_id": 1, "category_id": 7, "bbox": [20, 10, 60, 50]}


def read(folder: Path, annotations: list[Any], images: list[Any] | None = None, **more: Any) -> Dataset:
    document = {"images": images or [IMAGE], "annotations": annotations, "categories": CATEGORIES}
    file = folder / "instances.json"
    file.write_text(json.dumps({**document, **more}))
    return read_dataset(file)


def codes(dataset: Dataset) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.fault, fault.done) for fault in dataset.faults]


def test_boxes_categories_with_gaps_and_backgrounds(tmp_path: Path) -> None:
    images = [IMAGE, {"id": 9, "file_name": "b.jpg", "width": "50px", "height": 40.0}]
    dataset = read(tmp_path, [BOX, {**BOX, "category_id": 3, "iscrowd": 1}], images)
    assert dataset.task == "detection"
    assert dataset.labels == ("can", "carton")
    box = (0.1, 0.1, 0.4, 0.6)
    assert dataset.images == (
        LabelledImage(
            "a.jpg", 1, (), (LabelledObject("can", box), LabelledObject("carton", box, crowd=True)), (200, 100)
        ),
        LabelledImage("b.jpg", 2, (), (), (50, 40)),
    )
    assert (dataset.faults, dataset.notes) == ((), ())


def test_polygons_and_masks(tmp_path: Path) -> None:
    pixels = np.zeros((100, 200), bool)
    pixels[10:30, 40:80] = True
    runs = run_lengths(pixels)
    text = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    triangle, square = [20, 10, 80, 10, 80, 60], [100, 0, 120, 0, 120, 20, 100, 20]
    shapes: list[Any] = [
        [triangle, square],
        triangle,
        {"size": [100, 200], "counts": list(runs.counts)},
        {"size": [100, 200], "counts": text},
    ]
    entries = [{"image_id": 1, "category_id": 7, "segmentation": shape} for shape in shapes]
    dataset = read(tmp_path, [{**entries[0], "bbox": [0, 0, 200, 100]}, *entries[1:]])
    assert dataset.task == "segmentation"
    whole, flat, listed, packed = dataset.images[0].objects
    assert (len(whole.polygons), whole.box) == (2, (0, 0, 1, 1))
    assert flat.polygons == ((0.1, 0.1, 0.4, 0.1, 0.4, 0.6),)
    assert flat.box == (0.1, 0.1, 0.4, 0.6)
    assert listed == packed == LabelledObject("can", (0.2, 0.1, 0.4, 0.3), (), runs)


def test_texts_of_run_lengths_are_those_of_pycocotools() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        pixels = random.random(random.integers(1, 200, 2)) < random.choice([0.01, 0.5, 0.99])
        pixels[: len(pixels) // 2] = False
        encoded = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
        counts = run_lengths(pixels).counts
        assert text_of_counts(counts) == encoded
        assert counts_of_text(encoded) == counts
    for broken in ("a", "é", "P " * 3):
        with pytest.raises(ValueError, match="its mask"):
            counts_of_text(broken)


def test_boxes_that_are_shares_already(tmp_path: Path) -> None:
    entries = [{**BOX, "bbox": [0.1, 0.2, 0.5, 0.25]}, {**BOX, "bbox": [0, 0, 1, 1]}]
    dataset = read(tmp_path, entries, [{"id": 1, "file_name": "a.jpg"}])
    assert [each.box for each in dataset.images[0].objects] == [(0.1, 0.2, 0.6, 0.45), (0, 0, 1, 1)]
    assert "read as shares" in dataset.notes[0]
    # one box of one pixel, among others, is no share
    assert read(tmp_path, [{**BOX, "bbox": [0, 0, 1, 1]}, BOX]).images[0].objects[0].box == (0, 0, 0.005, 0.01)


def test_an_image_that_does_not_tell_its_size_is_looked_at(tmp_path: Path) -> None:
    document = {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}], "categories": CATEGORIES}
    file = tmp_path / "instances.json"
    file.write_text(json.dumps({**document, "annotations": [BOX, {**BOX, "image_id": 2}]}))

    def size_of(url: str) -> Size | None:
        return {"a.jpg": (200, 100)}.get(url)

    dataset = read_dataset(file, size_of=size_of)
    assert dataset.images[0].objects[0].box == (0.1, 0.1, 0.4, 0.6)
    assert codes(dataset) == [(2, "image_missing", "image dropped")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"category_id": 5}, "label_form"),
        ({"category_id": None}, "label_form"),
        ({"bbox": [1, 2, 3]}, "box_not_number"),
        ({"bbox": [1, 2, 3, None]}, "box_not_number"),
        ({"bbox": [1, 2, 3, float("nan")]}, "box_not_number"),
        ({"bbox": "1 2 3 4"}, "box_not_number"),
        ({"bbox": None}, "label_form"),
        ({"segmentation": [[1, 2, 3, 4, 5]]}, "polygon_odd"),
        ({"segmentation": [[1, 2, 3, 4, 5, "x"]]}, "box_not_number"),
        ({"segmentation": "1 2 3 4 5 6"}, "polygon_odd"),
        ({"segmentation": {"size": [100, 200], "counts": [5]}}, "polygon_odd"),
        ({"segmentation": {"size": [100, 200], "counts": [20001, -1]}}, "polygon_odd"),
        ({"segmentation": {"size": [200, 100], "counts": [20000]}}, "polygon_odd"),
        ({"segmentation": {"size": [100, 200], "counts": "\u00e9"}}, "polygon_odd"),
        ({"segmentation": {"size": [100, 200], "counts": [0.5]}}, "polygon_odd"),
        ({"segmentation": {"counts": [20000]}}, "polygon_odd"),
        ({"bbox": None, "segmentation": {"size": [100, 200], "counts": [20000]}}, "polygon_short"),
    ],
)
def test_annotations_that_cannot_be_used_are_faults(change: dict[str, Any], code: str, tmp_path: Path) -> None:
    dataset = read(tmp_path, [BOX, {**BOX, **change}])
    assert len(dataset.images[0].objects) == 1
    assert codes(dataset) == [(1, code, "object dropped")]
    assert "Annotation 2" in dataset.faults[0].detail


def test_annotations_of_unknown_images_and_broken_entries(tmp_path: Path) -> None:
    images = [IMAGE, {**IMAGE, "file_name": "b.jpg"}, {"id": 2}, "a.jpg", {"id": [1], "file_name": "c.jpg"}]
    dataset = read(tmp_path, [BOX, {**BOX, "image_id": 99}, "box"], images, categories=[*CATEGORIES, {"id": 7}, "can"])
    assert [image.url for image in dataset.images] == ["a.jpg"]
    assert sorted(codes(dataset)) == sorted(
        [(0, "label_form", "object dropped")] * 2
        + [(0, "label_form", "category ignored")] * 2
        + [(line, "line_unreadable", "image dropped") for line in (2, 3, 4, 5)]
    )


def test_an_image_that_loses_all_annotations_is_no_background(tmp_path: Path) -> None:
    dataset = read(tmp_path, [{**BOX, "bbox": "wide"}])
    assert dataset.images == ()
    assert codes(dataset) == [(1, "box_not_number", "image dropped")]


@pytest.mark.parametrize(
    "text", ['{"images": 7, "annotations": []}', '{"images": [', '{"annotations": "images"}', "[]"]
)
def test_documents_of_another_kind_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "instances.json").write_text(text)
    with pytest.raises(DataError, match=r"instances\.json"):
        read_dataset(tmp_path / "instances.json", format="coco")


def test_it_is_recognised_wherever_its_keys_stand(tmp_path: Path) -> None:
    file = tmp_path / "instances.json"
    file.write_text("\ufeff" + json.dumps({"info": {}, "annotations": [], "images": []}, indent=1))
    assert FORMAT.recognises(file)
    assert not FORMAT.recognises(tmp_path)
    file.write_text("")
    assert not FORMAT.recognises(file)


def test_masks_stay_run_lengths_and_short_outlines_are_left_out(tmp_path: Path) -> None:
    objects = (
        LabelledObject("can", (0, 0.25, 0.5, 1), mask=RunLengths((4, 4), (1, 3, 1, 3, 8))),
        LabelledObject("can", (0, 0, 1, 1), ((0, 0, 1, 1), (0, 0, 1, 0, 1, 1))),
    )
    placed = PlacedImage(LabelledImage("a.png", 1, (), objects), None, (4, 4))
    FORMAT.write([placed], tmp_path / "out.json", WriteOptions("segmentation", ("can",)))
    first, second = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert (first["area"], first["segmentation"]) == (6, {"size": [4, 4], "counts": text_of_counts((1, 3, 1, 3, 8))})
    assert (second["area"], second["segmentation"]) == (8, [[0, 0, 4, 0, 4, 4]])
    assert read_dataset(tmp_path / "out.json").images[0].objects[0] == objects[0]
