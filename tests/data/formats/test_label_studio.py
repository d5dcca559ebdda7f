import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import Dataset
from data.encodings.brush_runs import brush_of_pixels, pixels_of_brush
from data.errors import DataError
from data.format import PlacedImage, WriteOptions
from data.formats.label_studio import FORMAT
from data.outlines import run_lengths
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject
from models.folder.manifest import TaskName

SIZE = {"original_width": 200, "original_height": 100}
BOX = {"x": 10, "y": 20, "width": 30, "height": 40}


def region(kind: str, value: dict[str, Any], label: str = "can", **more: Any) -> dict[str, Any]:
    return {"id": "r", "type": kind, **SIZE, "value": {**value, kind: [label]}, **more}


def box(**more: Any) -> dict[str, Any]:
    return region("rectanglelabels", {**BOX, **more})


def annotation(*result: Any, **more: Any) -> dict[str, Any]:
    return {"result": list(result), "was_cancelled": False, "ground_truth": False, **more}


def task(*annotations: Any, image: str = "a.jpg") -> dict[str, Any]:
    return {"id": 1, "data": {"image": image}, "annotations": list(annotations), "predictions": [{"result": [box()]}]}


def read(folder: Path, *tasks: Any, **options: Any) -> Dataset:
    (folder / "export.json").write_text(json.dumps(tasks))
    return read_dataset(folder / "export.json", **options)


def codes(dataset: Dataset) -> list[tuple[int, str]]:
    return [(fault.line, fault.fault) for fault in dataset.faults]


def test_boxes_backgrounds_and_what_nobody_labelled(tmp_path: Path) -> None:
    dataset = read(tmp_path, task(annotation(box())), task(annotation()), task(), task(annotation(was_cancelled=True)))
    assert dataset.task == "detection"
    assert dataset.images == (
        LabelledImage("a.jpg", 1, (), (LabelledObject("can", (0.1, 0.2, 0.4, 0.6)),), (200, 100)),
        LabelledImage("a.jpg", 2),
    )
    assert codes(dataset) == [(3, "unlabelled"), (4, "unlabelled")]


def test_of_several_annotations_the_truth_counts_else_the_newest(tmp_path: Path) -> None:
    def of(label: str, **more: Any) -> dict[str, Any]:
        return annotation(region("rectanglelabels", BOX, label), **more)

    old, new = "2026-01-01T10:00:00Z", "2026-02-01T10:00:00Z"
    dataset = read(
        tmp_path,
        task(of("new", updated_at=new), of("old", updated_at=old)),
        task(of("truth", ground_truth=True, updated_at=old), of("new", updated_at=new)),
        task(of("old", updated_at=old), of("cancelled", updated_at=new, was_cancelled=True)),
        task(of("first"), of("second")),
    )
    assert [image.objects[0].label for image in dataset.images] == ["new", "truth", "old", "second"]
    assert "4 tasks have several annotations" in dataset.notes[0]


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (90, (0.1 - 0.4 * 100 / 200, 0.2, 0.1, 0.2 + 0.3 * 200 / 100)),
        (360, (0.1, 0.2, 0.4, 0.6)),
        (-90, (0.1, 0.2 - 0.3 * 200 / 100, 0.1 + 0.4 * 100 / 200, 0.2)),
        # 60 across and 40 down in pixels, from (20, 20)
        (45, ((20 - 40 / 2**0.5) / 200, 0.2, (20 + 60 / 2**0.5) / 200, (20 + 100 / 2**0.5) / 100)),
    ],
)
def test_turned_boxes_become_the_boxes_around_them(
    rotation: float, expected: tuple[float, ...], tmp_path: Path
) -> None:
    dataset = read(tmp_path, task(annotation(box(rotation=rotation))))
    assert dataset.images[0].objects[0].box == pytest.approx(expected)
    assert "1 turned boxes" in dataset.notes[0]


def test_polygons_and_objects_of_several_parts(tmp_path: Path) -> None:
    first = region("polygonlabels", {"points": [[10, 20], [30, 20], [30, 40]]}, meta={"part_of": "x"})
    second = region("polygonlabels", {"points": [[60, 20], [70, 20], [70, 80]]}, meta={"part_of": "x"})
    other = region("polygonlabels", {"points": [[0, 0], [9, 0], [9, 9]]}, meta={"text": ["blurred"]})
    dataset = read(tmp_path, task(annotation(first, other, second)), task(annotation(other, other)))
    assert dataset.task == "segmentation"
    joined, alone = dataset.images[0].objects
    assert (len(joined.polygons), len(alone.polygons)) == (2, 1)
    assert joined.box == (0.1, 0.2, 0.7, 0.8)
    assert len(dataset.images[1].objects) == 2


def test_choices(tmp_path: Path) -> None:
    def chosen(*labels: str) -> dict[str, Any]:
        return task(annotation({"type": "choices", "value": {"choices": list(labels)}}))

    dataset = read(tmp_path, chosen("can"), chosen("carton"))
    assert (dataset.task, [image.labels for image in dataset.images]) == ("multiclass", [("can",), ("carton",)])
    dataset = read(tmp_path, chosen("can", "carton"), chosen("can"), task(annotation()))
    assert (dataset.task, [image.labels for image in dataset.images]) == (
        "multilabel",
        [("can", "carton"), ("can",), ()],
    )
    assert read(tmp_path, chosen("can"), task="multilabel").faults == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("no region", "label_form"),
        ({"type": "ellipselabels", "value": {}}, "label_form"),
        (region("rectanglelabels", {**BOX, "x": "wide"}), "box_not_number"),
        (region("rectanglelabels", {**BOX, "height": None}), "box_not_number"),
        ({"type": "rectanglelabels", "value": {**BOX, "rectanglelabels": []}}, "label_form"),
        ({"type": "rectanglelabels", "value": {**BOX, "rectanglelabels": ["a", "b"]}}, "label_form"),
        ({"type": "rectanglelabels", "value": {**BOX, "rotation": 5, "rectanglelabels": ["a"]}}, "box_not_number"),
        (region("polygonlabels", {"points": [[1, 2, 3]]}), "polygon_odd"),
        (region("polygonlabels", {"points": [[1, None]]}), "box_not_number"),
        (region("polygonlabels", {"points": []}), "polygon_short"),
        (region("brushlabels", {"format": "rle", "rle": [1, 2, 3]}), "polygon_odd"),
        (region("brushlabels", {"format": "rle", "rle": ["x"]}), "polygon_odd"),
        (region("brushlabels", {"format": "rle"}), "polygon_odd"),
        (region("brushlabels", {"rle": brush_of_pixels(np.zeros((100, 200), bool))}), "polygon_short"),
        (region("brushlabels", {"rle": brush_of_pixels(np.ones((10, 20), bool))}), "polygon_odd"),
    ],
)
def test_regions_that_cannot_be_used_are_faults(change: Any, code: str, tmp_path: Path) -> None:
    dataset = read(tmp_path, task(annotation(box(), change)), task(annotation(change)))
    assert [len(image.objects) for image in dataset.images] == [1]
    assert codes(dataset) == [(1, code), (2, code)]
    assert [fault.done for fault in dataset.faults] == ["object dropped", "image dropped"]
    assert dataset.faults[0].detail.startswith("Region 2")


def test_tasks_that_are_none(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        "a.jpg",
        {"data": {}, "annotations": []},
        {"data": {"image": "a.jpg"}},
        {"data": {"one": "a.jpg", "two": "b.jpg"}, "annotations": [annotation()]},
        {"data": {"photo": "c.jpg", "shelf": 7}, "annotations": [annotation(box())]},
    )
    assert [image.url for image in dataset.images] == ["c.jpg"]
    assert codes(dataset) == [(line, "line_unreadable") for line in (1, 2, 3, 4)]


def test_documents_of_another_kind(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text('{"data": 1, "annotations": 2}')
    assert not FORMAT.recognises(file)
    with pytest.raises(DataError, match="expected a list of tasks"):
        read_dataset(file, format="labelstudio")


def test_brushes_there_and_back() -> None:
    random = np.random.default_rng(0)
    for density in (0, 0.001, 0.5, 1):
        pixels = random.random((150, 211)) < density
        pixels[100:] = True
        assert np.array_equal(pixels_of_brush(bytes(brush_of_pixels(pixels)), pixels.shape), pixels)


def test_a_brush_as_label_studio_packs_it() -> None:
    # 4 pixels, 2 by 2: 16 values of 8 bits; lengths of 3, 4, 8 and 16 bits
    head = f"{16:032b}" + f"{7:05b}" + "".join(f"{bits - 1:04b}" for bits in (3, 4, 8, 16))
    outside = "1" + "00" + f"{7:03b}" + f"{0:08b}"  # a run of 8 zeros
    red = "0" + "00" + f"{3:03b}" + "".join(f"{value:08b}" for value in (255, 0, 0, 255))  # 4 values by themselves
    clear = "0" + "01" + f"{3:04b}" + "".join(f"{value:08b}" for value in (255, 255, 255, 0))
    bits = head + outside + red + clear
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert pixels_of_brush(data, (2, 2)).tolist() == [[False, False], [True, False]]
    with pytest.raises(ValueError, match="end too early"):
        pixels_of_brush(data[:-3], (2, 2))


@pytest.mark.parametrize(
    ("task_name", "image"),
    [
        ("multiclass", LabelledImage("a.jpg", 1, ("can",))),
        ("multilabel", LabelledImage("a.jpg", 1, ("can", "carton"))),
        (
            "detection",
            LabelledImage("a.jpg", 1, (), (LabelledObject("can", (0.25, 0, 0.5, 1), crowd=True),), (200, 100)),
        ),
        (
            "segmentation",
            LabelledImage(
                "a.jpg",
                1,
                (),
                (
                    LabelledObject("can", (0.25, 0, 0.75, 1), ((0.25, 0, 0.5, 0, 0.5, 1), (0.5, 0, 0.75, 0, 0.75, 1))),
                    LabelledObject("can", (0, 0, 1, 1), (), run_lengths(np.eye(100, 200, dtype=bool) ^ True)),
                ),
                (200, 100),
            ),
        ),
    ],
)
def test_what_is_written_reads_as_it_was(task_name: TaskName, image: LabelledImage, tmp_path: Path) -> None:
    FORMAT.write([PlacedImage(image, None, (200, 100))], tmp_path / "out.json", WriteOptions(task_name))
    dataset = read_dataset(tmp_path / "out.json")
    assert (dataset.task, dataset.images, dataset.faults) == (task_name, (image,), ())
    (written,) = json.loads((tmp_path / "out.json").read_text())
    ids = [each["id"] for each in written["annotations"][0]["result"]]
    assert len(ids) == len(set(ids)) > 0
