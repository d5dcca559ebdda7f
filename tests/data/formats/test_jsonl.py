import json
from pathlib import Path
from typing import Any

import pytest

from data.dataset import Dataset
from data.errors import DataError
from data.fault import Fault
from data.format import PlacedImage, WriteOptions
from data.formats.jsonl import FORMAT
from data.json_lines import lines as line_module
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject, RunLengths

CAN = {"label": "can", "topX": 0.25, "topY": 0.5, "bottomX": 0.75, "bottomY": 1}


def read(folder: Path, *records: Any, **options: Any) -> Dataset:
    """Write records, or bytes as they are, as lines and read them."""
    file = folder / "train.jsonl"
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records]
    file.write_bytes(b"\n".join(lines))
    return read_dataset(file, **options)


def labelled(*labels: Any) -> list[dict[str, Any]]:
    return [{"image_url": f"{number}.jpg", "label": label} for number, label in enumerate(labels, 1)]


def codes(dataset: Dataset) -> list[tuple[int, str]]:
    return [(fault.line, fault.fault) for fault in dataset.faults]


def test_one_label(tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled("can", "carton"))
    assert dataset.task == "multiclass"
    assert dataset.images == (LabelledImage("1.jpg", 1, ("can",)), LabelledImage("2.jpg", 2, ("carton",)))
    assert (dataset.source, dataset.folder, dataset.faults) == (tmp_path / "train.jsonl", tmp_path, ())


def test_several_labels_and_none(tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled(["can", "carton", "can"], [], [7]))
    assert dataset.task == "multilabel"
    assert [image.labels for image in dataset.images] == [("can", "carton"), ()]
    assert codes(dataset) == [(3, "label_form")]


def test_boxes_and_backgrounds(tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled([CAN, {**CAN, "topX": "0.3", "isCrowd": "true"}], []))
    assert dataset.task == "detection"
    first, second = dataset.images[0].objects
    assert first == LabelledObject("can", (0.25, 0.5, 0.75, 1))
    assert second == LabelledObject("can", (0.3, 0.5, 0.75, 1), crowd=True)
    assert dataset.images[1].objects == ()


def test_polygons_of_several_parts(tmp_path: Path) -> None:
    parts = [[0.2, 0.3, 0.4, 0.3, 0.4, "0.5"], [0.6, 0.1, 0.7, 0.1, 0.7, 0.2]]
    dataset = read(tmp_path, *labelled([{"label": "can", "polygon": parts}], [{"label": "can", "polygon": parts[0]}]))
    assert dataset.task == "segmentation"
    (each,) = dataset.images[0].objects
    assert each.polygons == ((0.2, 0.3, 0.4, 0.3, 0.4, 0.5), (0.6, 0.1, 0.7, 0.1, 0.7, 0.2))
    assert each.box == (0.2, 0.1, 0.7, 0.5)
    assert dataset.images[1].objects[0].box == (0.2, 0.3, 0.4, 0.5)


def test_names_of_the_older_trainer_and_sizes(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        {"imageUrl": "1.jpg", "imageDetails": {"width": "400px", "height": 300}, "label": "can"},
        {"image_url": "2.jpg", "image_details": {"width": 0, "height": "many"}, "label": "can"},
        {"image_url": "3.jpg", "image_details": "400x300", "label": "can", "label_confidence": [0.9]},
    )
    assert [image.size for image in dataset.images] == [(400, 300), None, None]
    assert [image.confidences for image in dataset.images] == [(), (), (0.9,)]


def test_another_column_of_labels(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"image_url": "1.jpg", "kind": "can"}, *labelled("can"), label_column="kind")
    assert [image.labels for image in dataset.images] == [("can",)]
    assert codes(dataset) == [(2, "label_form")]
    assert "only 'image_url', 'label'" in dataset.faults[0].detail


@pytest.mark.parametrize(
    ("given", "crowd"),
    [
        *[(1, True), (True, True), ("1", True), ("true", True), ("True", True)],
        *[(0, False), (False, False), ("0", False), ("TRUE", False), ("yes", False), (None, False), (2, False)],
        *[([], False), ({}, False)],
    ],
)
def test_forms_of_crowds(given: Any, crowd: bool, tmp_path: Path) -> None:
    (image,) = read(tmp_path, *labelled([{**CAN, "isCrowd": given}])).images
    assert image.objects[0].crowd is crowd


def test_a_lone_object_is_a_list_of_one(tmp_path: Path) -> None:
    assert read(tmp_path, *labelled(CAN)).images[0].objects == (LabelledObject("can", (0.25, 0.5, 0.75, 1)),)


@pytest.mark.parametrize(
    "line",
    [
        b'{"image_url": "1.jpg", "label": ',
        b'["1.jpg", "can"]',
        b"null",
        b'{"label": "can"}',
        b'{"image_url": 7, "label": "can"}',
        b'{"image_url": " ", "label": "can"}',
        b'{"image_url": "caf\xe9.jpg", "label": "can"}',
        b'{"image_url": "1.jpg", "label": "\\ud800"}',
        b'{"image_url": "1.jpg", "image_url": "2.jpg", "label": "can"}',
        b'{"image_url": "1.jpg", "label": [{"label": "can", "label": "carton", "topX": 0, "topY": 0}]}',
        b'{"image_url": "1.jpg", "label": "can"}{"image_url": "2.jpg", "label": "can"}',
        b'{"image_url": "1.jpg", "label": ' + b"[" * 100_000,
    ],
    ids=range(12),
)
def test_lines_that_cannot_be_read_are_faults_and_others_are_read(line: bytes, tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled("can"), b"", line, b" \t\r", *labelled("carton"))
    assert [image.line for image in dataset.images] == [1, 5]
    (fault,) = dataset.faults
    assert (fault.line, fault.fault, fault.done) == (3, "line_unreadable", "image dropped")
    assert 20 < len(fault.detail) < 450


def test_the_place_of_an_error_in_a_line_is_told(tmp_path: Path) -> None:
    (fault,) = read(tmp_path, *labelled("can"), b'{"image_url": "1.jpg", label: "can"}').faults
    assert "column 24" in fault.detail
    assert 'label: "can"' in fault.detail


@pytest.mark.parametrize(
    "label",
    [
        *(None, 1.5, True, 2**63, {"can": 1}, ["can", 7], ["can", None]),
        *([CAN, "can"], [[CAN]], [{**CAN, "label": None}], [{**CAN, "label": 2**64}], [{"label": "can", "topX": 0.1}]),
    ],
    ids=range(12),
)
def test_labels_of_a_wrong_form_are_faults(label: Any, tmp_path: Path) -> None:
    usual = "can" if not isinstance(label, list) else [CAN] if CAN in label else ["can"]
    dataset = read(tmp_path, *labelled(usual, usual, label))
    assert [image.line for image in dataset.images] == [1, 2]
    assert codes(dataset) == [(3, "label_form")]


def test_the_majority_decides_the_task(tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled([CAN], "can", [CAN], ["can"], []))
    assert dataset.task == "detection"
    assert codes(dataset) == [(2, "label_form"), (4, "label_form")]
    asked = read(tmp_path, *labelled([CAN], "can", [CAN], ["can"], []), task="multilabel")
    assert [image.line for image in asked.images] == [4, 5]
    assert codes(asked) == [(1, "label_form"), (2, "label_form"), (3, "label_form")]


def test_polygons_serve_detection_and_boxes_do_not_serve_segmentation(tmp_path: Path) -> None:
    outlined = {"label": "can", "polygon": [[0.2, 0.3, 0.4, 0.3, 0.4, 0.5]]}
    assert read(tmp_path, *labelled([CAN], [outlined]), task="detection").faults == ()
    assert codes(read(tmp_path, *labelled([CAN], [outlined]), task="segmentation")) == [(1, "label_form")]


def test_numbers_among_texts_are_faults_line_by_line(tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled("can", 3, "carton", 4, "7"))
    assert [image.labels for image in dataset.images] == [("can",), ("carton",), ("7",)]
    assert codes(dataset) == [(2, "label_form"), (4, "label_form")]
    assert [image.labels for image in read(tmp_path, *labelled(3, 4)).images] == [(3,), (4,)]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b'"NaN"', b'"1_0"', b'"wide"', b"null", b"true"])
def test_boxes_that_are_no_numbers_are_dropped(number: bytes, tmp_path: Path) -> None:
    box = json.dumps(CAN).encode()
    line = b'{"image_url": "1.jpg", "label": [' + box + b", " + box.replace(b"0.75", number) + b"]}"
    dataset = read(tmp_path, line)
    assert len(dataset.images[0].objects) == 1
    (fault,) = dataset.faults
    assert (fault.line, fault.image, fault.fault, fault.done) == (1, "1.jpg", "box_not_number", "object dropped")


@pytest.mark.parametrize(
    ("polygon", "code"),
    [
        ([[0.1, 0.2, 0.3, 0.4, 0.5]], "polygon_odd"),
        ([[0.1, 0.2, 0.3, 0.4, 0.5, "x"]], "box_not_number"),
        ([[0.1, 0.2], 7], "polygon_odd"),
        ([[], []], "polygon_short"),
        ([], "polygon_short"),
        ("0.1 0.2", "polygon_short"),
    ],
)
def test_polygons_that_are_none_are_dropped(polygon: Any, code: str, tmp_path: Path) -> None:
    good = {"label": "can", "polygon": [[0.2, 0.3, 0.4, 0.3, 0.4, 0.5]]}
    dataset = read(tmp_path, *labelled([good, {"label": "can", "polygon": polygon}]))
    assert len(dataset.images[0].objects) == 1
    assert codes(dataset) == [(1, code)]


def test_an_image_that_loses_all_its_objects_is_no_background(tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled([CAN], [{**CAN, "topX": "wide"}]))
    assert [image.line for image in dataset.images] == [1]
    assert codes(dataset) == [(2, "box_not_number")]
    assert dataset.faults[0].done == "image dropped"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text('{"image_url": "1.jpg", "label": "dé"}\r\n{"image_url": "2.jpg", "label": "can"}', encoding)
    dataset = read_dataset(file)
    assert [image.labels for image in dataset.images] == [("dé",), ("can",)]
    assert dataset.faults == ()


def test_a_huge_line_is_a_fault_and_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "_MOST_BYTES", 1000)
    dataset = read(tmp_path, *labelled("can"), {"image_url": "2.jpg", "label": "x" * 5000}, *labelled("can"))
    assert [image.line for image in dataset.images] == [1, 3]
    assert codes(dataset) == [(2, "line_unreadable")]


def test_colons_in_urls_and_labels_are_no_keys(tmp_path: Path) -> None:
    dataset = read(tmp_path, {"image_url": "s3://bucket/a:b.jpg", "label": "a::b", "more": {"deep": {"er": 1}}})
    assert dataset.images == (LabelledImage("s3://bucket/a:b.jpg", 1, ("a::b",)),)


def test_it_is_recognised_by_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "annotations.txt"
    file.write_bytes(b'not json\n{"image_url": "1.jpg", "label": "can"}\n')
    assert FORMAT.recognises(file)
    file.write_bytes(b"1.jpg can\n")
    assert not FORMAT.recognises(file)
    assert not FORMAT.recognises(tmp_path)


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_dataset(tmp_path / "absent.jsonl")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="none of the formats"):
        read_dataset(tmp_path / "notes.txt")
    with pytest.raises(DataError, match="Did you mean 'jsonl'"):
        read_dataset(tmp_path / "notes.txt", format="jsnol")
    (tmp_path / "half.jsonl").write_bytes(b"\xff\xfea")
    with pytest.raises(DataError, match="UTF-16"):
        read_dataset(tmp_path / "half.jsonl")


def test_what_is_written_reads_as_it_was(tmp_path: Path) -> None:
    triangle = (0.1, 0.2, 0.3, 0.4, 1 / 3, 0.6)
    images = {
        "multiclass": LabelledImage("1.jpg", 1, (7,), size=(4, 3)),
        "multilabel": LabelledImage("1.jpg", 1, ("can", "dé"), confidences=(0.5, 0.25)),
        "detection": LabelledImage("1.jpg", 1, (), (LabelledObject("can", (1 / 3, 0.1, 0.7, 0.8), crowd=True),)),
        "segmentation": LabelledImage("1.jpg", 1, (), (LabelledObject("can", (0.1, 0.2, 1 / 3, 0.6), (triangle,)),)),
    }
    for task, image in images.items():
        file = tmp_path / f"{task}.jsonl"
        FORMAT.write([PlacedImage(image)], file, WriteOptions(task))  # type: ignore[arg-type]
        dataset = read_dataset(file)
        assert (dataset.task, dataset.images, dataset.faults) == (task, (image,), ())


def test_masks_are_written_as_polygons(tmp_path: Path) -> None:
    mask = LabelledObject("can", (0.25, 0, 0.75, 1), mask=RunLengths((4, 4), (4, 8, 4)))
    FORMAT.write(
        [PlacedImage(LabelledImage("1.jpg", 1, (), (mask,)))], tmp_path / "out.jsonl", WriteOptions("segmentation")
    )
    (each,) = read_dataset(tmp_path / "out.jsonl").images[0].objects
    assert each.box == pytest.approx((0.25, 0, 0.75, 1), abs=0.01)
    assert len(each.polygons) == 1


def test_faults_come_by_line(tmp_path: Path) -> None:
    dataset = read(tmp_path, *labelled("can", ["can"], "can"), b"broken", *labelled(5))
    assert [fault.line for fault in dataset.faults] == [2, 4, 5]
    assert isinstance(dataset.faults[0], Fault)
