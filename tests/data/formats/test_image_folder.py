from pathlib import Path

import pytest
from PIL import Image

from data.errors import DataError
from data.format import PlacedImage, WriteOptions
from data.formats.image_folder import FORMAT
from data.reading import read_dataset
from data.record import LabelledImage


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_folders_are_labels(tmp_path: Path) -> None:
    touch(tmp_path, "can/2.jpg", "can/10.PNG", "can/more/1.jpg", "can/.hidden.jpg", "can/notes.txt", "carton/1.webp")
    touch(tmp_path, ".cache/1.jpg", "can/.thumbnails/1.jpg")
    dataset = read_dataset(tmp_path)
    assert (dataset.task, dataset.labels) == ("multiclass", ("can", "carton"))
    assert [(image.url, image.labels) for image in dataset.images] == [
        ("can/10.PNG", ("can",)),
        ("can/2.jpg", ("can",)),
        ("can/more/1.jpg", ("can",)),
        ("carton/1.webp", ("carton",)),
    ]
    assert [image.line for image in dataset.images] == [1, 2, 3, 4]
    assert "1 image in further folders" in dataset.notes[0]


def test_links_out_of_the_tree_and_images_beside_folders_are_faults(tmp_path: Path) -> None:
    touch(tmp_path, "data/can/1.jpg", "data/stray.jpg", "secret/2.jpg")
    (tmp_path / "data/can/link.jpg").symlink_to(tmp_path / "secret/2.jpg")
    (tmp_path / "data/can/inner.jpg").symlink_to("1.jpg")
    (tmp_path / "data/carton").symlink_to(tmp_path / "secret")
    dataset = read_dataset(tmp_path / "data")
    assert [image.url for image in dataset.images] == ["can/1.jpg", "can/inner.jpg"]
    assert [(fault.image, fault.fault) for fault in dataset.faults] == [
        ("carton", "link_outside"),
        ("stray.jpg", "label_form"),
        ("can/link.jpg", "link_outside"),
    ]


def test_parts_of_a_data_set_are_not_labels(tmp_path: Path) -> None:
    touch(tmp_path, "train/can/1.jpg", "val/can/1.jpg")
    with pytest.raises(DataError, match=r"Give .*train or .*val"):
        read_dataset(tmp_path)
    assert [image.url for image in read_dataset(tmp_path / "train").images] == ["can/1.jpg"]


def test_folders_of_another_kind(tmp_path: Path) -> None:
    assert not FORMAT.recognises(touch(tmp_path / "flat", "1.jpg"))
    assert not FORMAT.recognises(touch(tmp_path / "voc", "Annotations/1.xml", "JPEGImages/1.jpg"))
    assert not FORMAT.recognises(touch(tmp_path / "yolo", "valid/images/1.jpg", "valid/labels/1.txt"))
    # images of a file that lies beside them
    assert not FORMAT.recognises(touch(tmp_path / "listed", "images/1.jpg", "train.jsonl"))
    for name in ("flat", "empty/can"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        with pytest.raises(DataError, match=r"no folders|no images"):
            read_dataset(tmp_path / name.split("/", maxsplit=1)[0], format="folders")


def test_names_that_clash_and_labels_that_are_no_folders(tmp_path: Path) -> None:
    labels: list[str | int] = ["can", "can", "carton", 7, "a/b", "", "..", " can", "x" * 300]
    images = []
    for number, label in enumerate(labels):
        file = tmp_path / "in" / str(number) / ("A.png" if number == 1 else "a.png")
        file.parent.mkdir(parents=True)
        Image.new("1", (4 + number, 3)).save(file)
        images.append(PlacedImage(LabelledImage(f"{number}/{file.name}", number + 1, (label,)), file))
    report = FORMAT.write(images, tmp_path / "out", WriteOptions("multiclass"))
    found = sorted(file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.png"))
    assert found == ["7/a.png", "can/A-2.png", "can/a.png", "carton/a.png"]
    assert [each.image.line for each in report.omissions] == [5, 6, 7, 8, 9]
    assert report.notes == ["1/A.png is named A-2.png, as A was taken."]
    with Image.open(tmp_path / "out" / "can" / "A-2.png") as image:
        assert image.width == 5
