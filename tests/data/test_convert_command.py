"""What `python -m data convert` refuses, leaves out and says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from data import conversion as module
from data.__main__ import main
from data.conversion import convert
from data.errors import DataError
from data.outlines import pixels_of_runs, run_lengths
from data.reading import FORMATS, read_dataset
from data.sources.image_store import ImageStore
from tests.data.scenes import overlap

BOX = {"label": "can", "topX": 0.25, "topY": 0.5, "bottomX": 0.75, "bottomY": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with images 1.png and 2.png of 40 by 20 pixels."""
    for number in (1, 2):
        Image.new("1", (40, 20)).save(tmp_path / f"{number}.png")
    return tmp_path


def write(folder: Path, *labels: Any, urls: tuple[str, ...] = ("1.png", "2.png", "3.png", "4.png")) -> Path:
    file = folder / "train.jsonl"
    lines = [json.dumps({"image_url": url, "label": label}) for url, label in zip(urls, labels, strict=False)]
    file.write_text("\n".join(lines))
    return file


def run(source: Path, target: Path, form: str, *more: str) -> int:
    return main(["convert", str(source), str(target), "--to", form, *more])


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_it_says_what_came_in_and_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(folder, [BOX, {**BOX, "topX": "wide"}], [], "can", [BOX])
    assert run(source, folder / "out", "yolo") == 2
    printed = capsys.readouterr()
    assert [(each["line"], each["fault"], each["done"]) for each in map(json.loads, printed.out.splitlines())] == [
        (1, "box_not_number", "object dropped"),
        (3, "label_form", "image dropped"),
        (4, "image_missing", "image dropped"),
    ]
    table = [line.split() for line in printed.err.splitlines()]
    assert ["images", "4", "2"] in table
    assert ["objects", "3", "1"] in table
    assert ["backgrounds", "1", "1"] in table
    assert "skipped: 1 times image_missing (image dropped)" in printed.err


def test_a_target_that_exists_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(folder, [BOX])
    (folder / "out.json").write_text("mine")
    assert run(source, folder / "out.json", "coco") == 3
    assert (folder / "out.json").read_text() == "mine"
    assert "exists" in capsys.readouterr().err
    (folder / "link").symlink_to(folder / "absent")
    assert run(source, folder / "link", "yolo") == 3
    (folder / "empty").mkdir()
    assert run(source, folder / "empty", "yolo") == 3


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_nothing_half_written_is_left_where_the_disk_is_full(form: str, folder: Path) -> None:
    dataset = read_dataset(write(folder, [BOX], []))
    before = names(folder)

    def write_half(images: Any, target: Path, options: Any) -> Any:
        FORMATS[form].write(images, target, options)
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left on device"):
        convert(dataset, folder / "out", replace(FORMATS[form], write=write_half), ImageStore(folder))
    assert names(folder) == before


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_a_target_that_somebody_makes_meanwhile_is_not_replaced(
    form: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = read_dataset(write(folder, [BOX], []))
    target = folder / "out"

    def save(growing: Path, wanted: Path) -> None:
        if form == "coco":
            wanted.write_text("mine")
        else:
            (wanted / "mine").mkdir(parents=True)
        real(growing, wanted)

    real = module._save
    monkeypatch.setattr(module, "_save", save)
    before = names(folder)
    with pytest.raises(DataError, match="cannot be written"):
        convert(dataset, target, FORMATS[form], ImageStore(folder))
    assert target.read_text() == "mine" if form == "coco" else names(target) == {"mine"}
    assert names(folder) == before | {"out"}


def test_a_folder_that_cannot_be_written_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").write_text("")
    assert run(write(folder, [BOX]), folder / "file" / "out.json", "coco") == 3
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("label", "form", "said"),
    [
        ("can", "coco", "no place for multiclass"),
        ("can", "yolo", "no place for multiclass"),
        (["can"], "folders", "no place for multilabel"),
        ([BOX], "folders", "no place for detection"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    label: Any, form: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(write(folder, label), folder / "out", form) == 3
    assert said in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_nothing_is_written_without_an_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(folder, [BOX], urls=("lost.png",))
    assert run(source, folder / "out", "voc") == 3
    assert "No image of " in capsys.readouterr().err
    (folder / "broken.jsonl").write_text("half a line")
    assert run(folder / "broken.jsonl", folder / "out.json", "coco") == 3


def test_sizes_come_from_the_images_else_from_what_the_file_claims(folder: Path) -> None:
    (folder / "damaged.png").write_bytes(b"no image")
    lines = [
        {"image_url": "1.png", "image_details": {"width": 7, "height": 7}, "label": [BOX]},
        {"image_url": "lost.png", "image_details": {"width": 8, "height": 8}, "label": [BOX]},
        {"image_url": "damaged.png", "label": [BOX]},
    ]
    source = folder / "train.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)))
    assert run(source, folder / "out.json", "coco") == 2
    images = json.loads((folder / "out.json").read_text())["images"]
    assert [(each["file_name"], each["width"], each["height"]) for each in images] == [
        ("1.png", 40, 20),
        ("lost.png", 8, 8),
    ]


def test_outlines_are_left_out_where_there_are_only_boxes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(folder, [{"label": "can", "polygon": [[0.25, 0.5, 0.75, 0.5, 0.75, 1]]}])
    assert run(source, folder / "out.csv", "csv") == 0
    assert "outlines were left out" in capsys.readouterr().err
    assert read_dataset(folder / "out.csv").images[0].objects[0].box == (0.25, 0.5, 0.75, 1)


@pytest.mark.parametrize("form", ["folders", "csv", "labelstudio", "mltable", "jsonl"])
def test_labels_there_and_back(form: str, folder: Path) -> None:
    target = folder / ("tasks.json" if form == "labelstudio" else f"out.{form}")
    assert run(write(folder, "can", "dé"), target, form) == 0
    assert run(target, folder / "back" / "back.jsonl", "jsonl") == 0
    back = read_dataset(folder / "back" / "back.jsonl")
    assert {(Path(image.url).name, image.labels) for image in back.images} == {("1.png", ("can",)), ("2.png", ("dé",))}
    assert all((folder / "back" / image.url).is_file() for image in back.images)


def test_urls_stay_right_or_as_they_are(folder: Path) -> None:
    Image.new("1", (40, 20)).save(folder / "a b.png")
    urls = ("a%20b.png", "lost/3.png", "file://2.png")
    kept = (
        "https://example.org/1.png",
        "azureml://datastores/d/paths/1.png",
        str(folder / "1.png"),
        "odd://x/1.png",
        "a\0/b.png",
    )
    source = write(folder, *["can"] * 10, urls=("1.png", "./2.png", *urls, *kept))
    assert run(source, folder / "same.jsonl", "jsonl") == 0
    assert [image.url for image in read_dataset(folder / "same.jsonl").images][2:] == [*urls, *kept]
    assert run(source, folder / "far" / "away" / "out.jsonl", "jsonl") == 0
    assert [image.url for image in read_dataset(folder / "far" / "away" / "out.jsonl").images] == [
        "../../1.png",
        "../../2.png",
        "../../a%20b.png",
        "../../lost/3.png",
        "../../2.png",
        *kept,
    ]
    assert run(source, folder / "table", "mltable") == 0
    assert read_dataset(folder / "table").images[0].url == "../1.png"


def test_roots_are_where_images_are_too(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    source = write(folder / "elsewhere", [BOX], urls=("1.png",))
    assert run(source, folder / "out", "yolo") == 3
    assert run(source, folder / "out", "yolo", "--root", str(folder)) == 0
    assert (folder / "out" / "images" / "1.png").samefile(folder / "1.png")
    assert run(source, folder / "out.jsonl", "jsonl", "--root", str(folder)) == 0
    assert read_dataset(folder / "out.jsonl").images[0].url == "1.png"


def test_numbers_as_labels_become_texts(folder: Path) -> None:
    assert run(write(folder, [{**BOX, "label": 7}], [{**BOX, "label": 12}]), folder / "out.json", "coco") == 0
    assert read_dataset(folder / "out.json").labels == ("7", "12")


def test_masks_with_holes_become_polygons_that_have_them(folder: Path) -> None:
    random = np.random.default_rng(0)
    field = ndimage.gaussian_filter(random.normal(size=(300, 400)), 12)
    Image.new("1", (400, 300)).save(folder / "1.png")
    pixels = (field > 0) & (field < 0.05)
    counts = list(run_lengths(pixels).counts)
    annotation = {"image_id": 1, "category_id": 1, "segmentation": {"size": [300, 400], "counts": counts}}
    document = {
        "images": [{"id": 1, "file_name": "1.png", "width": 400, "height": 300}],
        "categories": [{"id": 1, "name": "can"}],
        "annotations": [annotation],
    }
    (folder / "in.json").write_text(json.dumps(document))
    (before,) = read_dataset(folder / "in.json").images[0].objects
    assert before.mask is not None and np.array_equal(pixels_of_runs(before.mask), pixels)
    assert run(folder / "in.json", folder / "out.jsonl", "jsonl") == 0
    assert run(folder / "in.json", folder / "out", "yolo") == 0
    for target in (folder / "out.jsonl", folder / "out"):
        (after,) = read_dataset(target).images[0].objects
        assert overlap(before, after, (400, 300)) > 0.99
