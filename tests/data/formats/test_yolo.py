from pathlib import Path

import pytest
import yaml
from PIL import Image

from data.dataset import Dataset
from data.errors import DataError
from data.format import PlacedImage, WriteOptions
from data.formats.yolo import FORMAT
from data.outlines import pixels_of
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject

BOX = "0 0.5 0.5 0.5 0.25\n"


def write(folder: Path, *, names: str | None = "names: [can, carton]", **texts: str | None) -> Path:
    """Write images with their label files, where they have one; two underscores in a name are a folder."""
    for stem, text in texts.items():
        for kind, suffix in (("images", ".jpg"), ("labels", ".txt")):
            file = folder / kind / (stem.replace("__", "/") + suffix)
            file.parent.mkdir(parents=True, exist_ok=True)
            if suffix == ".jpg":
                file.touch()
            elif text is not None:
                file.write_text(text)
    if names:
        (folder / "data.yaml").write_text(names)
    return folder


def codes(dataset: Dataset) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.fault, fault.done) for fault in dataset.faults]


def test_an_empty_file_is_a_background_and_a_missing_one_is_unlabelled(tmp_path: Path) -> None:
    write(tmp_path, a=BOX + "\n1 0.25 0.25 0.5 0.5 0.9\n", b="", c=None)
    dataset = read_dataset(tmp_path)
    assert (dataset.task, dataset.labels) == ("detection", ("can", "carton"))
    first, second = dataset.images
    assert first == LabelledImage(
        "images/a.jpg",
        1,
        (),
        (LabelledObject("can", (0.25, 0.375, 0.75, 0.625)), LabelledObject("carton", (0, 0, 0.5, 0.5))),
    )
    assert second == LabelledImage("images/b.jpg", 2)
    assert codes(dataset) == [(3, "unlabelled", "image dropped")]


def test_polygons(tmp_path: Path) -> None:
    write(tmp_path, a="1 0.1 0.2 0.3 0.2 0.3 0.4\n")
    dataset = read_dataset(tmp_path)
    assert dataset.task == "segmentation"
    (each,) = dataset.images[0].objects
    assert (each.label, each.box, each.polygons) == ("carton", (0.1, 0.2, 0.3, 0.4), ((0.1, 0.2, 0.3, 0.2, 0.3, 0.4),))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("2 0.5 0.5 0.5 0.5", "label_form"),
        ("can 0.5 0.5 0.5 0.5", "label_form"),
        ("-1 0.5 0.5 0.5 0.5", "label_form"),
        ("0.5 0.5 0.5 0.5 0.5", "label_form"),
        ("0 0.5 0.5 wide 0.5", "box_not_number"),
        ("0 0.5 0.5 nan 0.5", "box_not_number"),
        ("0 0.5 0.5", "polygon_odd"),
        ("0 0.1 0.2 0.3 0.2 0.3 0.4 0.5", "polygon_odd"),
        ("0", "polygon_odd"),
    ],
)
def test_lines_that_cannot_be_used_are_faults(line: str, code: str, tmp_path: Path) -> None:
    write(tmp_path, a=f"{BOX}{line}\n", b=line)
    dataset = read_dataset(tmp_path)
    assert [len(image.objects) for image in dataset.images] == [1]
    assert codes(dataset) == [
        (1, code, "object dropped"),
        (2, code, "image dropped"),
    ]
    assert "Line 2 of a.txt" in dataset.faults[0].detail


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ("names: {0: can, 7: carton}", {0: "can", 7: "carton"}),
        ("names:\n- yes\n- 1.0", {0: "yes", 1: "1.0"}),
        (None, {0: 0, 7: 7}),
    ],
)
def test_forms_of_names(names: str | None, labels: dict[int, object], tmp_path: Path) -> None:
    write(tmp_path, names=names, a="".join(f"{number} 0.5 0.5 0.5 0.5\n" for number in labels))
    dataset = read_dataset(tmp_path)
    assert [each.label for each in dataset.images[0].objects] == list(labels.values())
    assert bool(dataset.notes) == (names is None)


def test_parts_of_a_data_set_and_names_above_it(tmp_path: Path) -> None:
    write(tmp_path / "data", train__a=BOX, names=None)
    (tmp_path / "classes.txt").write_text("\ufeffcan \ncarton\n")
    write(tmp_path / "roboflow" / "valid", names=None, c=BOX)
    (tmp_path / "roboflow" / "data.yaml").write_text("names: [can]")
    assert [image.url for image in read_dataset(tmp_path / "data").images] == ["images/train/a.jpg"]
    assert [image.objects[0].label for image in read_dataset(tmp_path / "data").images] == ["can"]
    assert [image.url for image in read_dataset(tmp_path / "roboflow").images] == ["valid/images/c.jpg"]


def test_labels_beside_images(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.txt").write_text(BOX)
    (tmp_path / "classes.txt").write_text("can\n")
    assert [image.url for image in read_dataset(tmp_path).images] == ["a.jpg"]


def test_keypoints_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, names="names: [can]\nkpt_shape: [2, 2]", a="0 0.5 0.5 0.5 0.25 0.1 0.1 0.2 0.2\n")
    assert read_dataset(tmp_path).images[0].objects == (LabelledObject("can", (0.25, 0.375, 0.75, 0.625)),)


@pytest.mark.parametrize("names", ["names: 7", "names: {a: b}", "names: [[can]]", "names: [", "names: {0: [can]}"])
def test_names_of_another_form_are_refused(names: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.yaml"):
        read_dataset(write(tmp_path, names=names, a=BOX))


def test_links_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "real", names=None, a=BOX)
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "images").symlink_to(tmp_path / "real" / "images")
    (folder / "labels").symlink_to(tmp_path / "real" / "labels")
    (tmp_path / "real" / "images" / "again").symlink_to(tmp_path / "real" / "images")
    assert [image.url for image in read_dataset(folder).images] == ["images/a.jpg"]


def test_folders_of_another_kind(tmp_path: Path) -> None:
    assert not FORMAT.recognises(tmp_path)
    with pytest.raises(DataError, match="no images"):
        read_dataset(tmp_path, format="yolo")


def test_the_order_of_names_is_kept_and_parts_become_one_outline(tmp_path: Path) -> None:
    Image.new("1", (100, 100)).save(tmp_path / "a.png")
    left, right = (0.1, 0.1, 0.3, 0.1, 0.3, 0.3, 0.1, 0.3), (0.6, 0.6, 0.9, 0.6, 0.9, 0.9, 0.6, 0.9)
    over = (0.2, 0.2, 0.5, 0.2, 0.5, 0.5, 0.2, 0.5)
    objects = (
        LabelledObject("milk", (0.1, 0.1, 0.9, 0.9), (left, right)),
        LabelledObject("can", (0.1, 0.1, 0.5, 0.5), (left, over)),
    )
    placed = PlacedImage(LabelledImage("a.png", 1, (), objects), tmp_path / "a.png", (100, 100))
    FORMAT.write([placed], tmp_path / "out", WriteOptions("segmentation", ("milk", "unused", "can")))
    assert yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["names"] == {0: "milk", 1: "unused", 2: "can"}
    dataset = read_dataset(tmp_path / "out")
    assert dataset.labels == ("milk", "unused", "can")
    for found, wanted in zip(dataset.images[0].objects, objects, strict=True):
        assert len(found.polygons) == 1
        assert (pixels_of(found, (100, 100)) == pixels_of(wanted, (100, 100))).all()
