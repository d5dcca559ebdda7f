"""`python -m data convert`: there and back again, and what users of other programs read."""

import json
from pathlib import Path
from typing import Any

import globox
import numpy as np
import pytest
from pycocotools.coco import COCO

from data.__main__ import main
from data.dataset import Dataset
from data.outlines import pixels_of
from data.reading import read_dataset
from data.record import Box
from tests.data.scenes import LABELS, assert_same_boxes, assert_same_masks, by_name, sizes_of, write_scenes

NAMES = {"jsonl": "out.jsonl", "coco": "out.json", "csv": "out.csv", "labelstudio": "tasks.json"}


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("boxes"), 200, outlined=False)


@pytest.fixture(scope="module")
def outlines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("outlines"), 30, outlined=True)


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("crowds"), 6, outlined=False, crowds=True)


def convert(source: Path, target: Path, form: str, *more: str, code: int = 0) -> Path:
    assert main(["convert", str(source), str(target), "--to", form, *more]) == code
    return target


def there_and_back(source: Path, folder: Path, form: str, *more: str) -> tuple[Path, Dataset]:
    """Convert JSONL to a format and back; return the first result, and the second as it is read."""
    middle = convert(source, folder / NAMES.get(form, form), form, *more)
    return middle, read_dataset(convert(middle, folder / "back" / "back.jsonl", "jsonl", *more))


@pytest.mark.parametrize(
    ("form", "more"),
    [
        ("coco", ()),
        ("voc", ()),
        ("voc", ("--voc-origin", "1")),
        ("yolo", ()),
        ("csv", ()),
        ("labelstudio", ()),
        ("mltable", ()),
        ("jsonl", ()),
    ],
)
def test_boxes_there_and_back(form: str, more: tuple[str, ...], boxes: Path, tmp_path: Path) -> None:
    _, back = there_and_back(boxes, tmp_path, form, *more)
    assert back.task == "detection"
    assert_same_boxes(back, read_dataset(boxes))
    for image in back.images:
        assert (tmp_path / "back" / image.url).is_file()


@pytest.mark.parametrize("form", ["coco", "voc", "yolo", "labelstudio", "mltable"])
def test_masks_there_and_back(form: str, outlines: Path, tmp_path: Path) -> None:
    _, back = there_and_back(outlines, tmp_path, form)
    assert back.task == "segmentation"
    assert_same_masks(back, read_dataset(outlines), sizes_of(outlines.parent))


@pytest.mark.parametrize("form", ["coco", "voc", "labelstudio", "mltable"])
def test_crowds_stay_crowds(form: str, crowds: Path, tmp_path: Path) -> None:
    _, back = there_and_back(crowds, tmp_path, form)
    assert any(each.crowd for image in back.images for each in image.objects)
    assert_same_boxes(back, read_dataset(crowds))


@pytest.mark.parametrize("form", ["yolo", "csv"])
def test_crowds_are_left_out_where_there_are_none(
    form: str, crowds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = convert(crowds, tmp_path / NAMES.get(form, form), form, code=2)
    faults = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {fault["fault"] for fault in faults} == {"not_in_format"}
    before = read_dataset(crowds).images
    crowd_count = sum(each.crowd for image in before for each in image.objects)
    only_crowds = sum(bool(image.objects) and all(each.crowd for each in image.objects) for image in before)
    after = read_dataset(target).images
    assert len(faults) == crowd_count > 0
    assert sum(len(image.objects) for image in after) == sum(len(image.objects) for image in before) - crowd_count
    assert len(after) == len(before) - only_crowds


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_means_to_pycocotools_what_it_means_to_us(tmp_path: Path) -> None:
    outlines = write_scenes(tmp_path / "scenes", 200, outlined=True)
    target = convert(outlines, tmp_path / "out.json", "coco")
    coco = COCO(str(target))
    assert {each["name"] for each in coco.loadCats(coco.getCatIds())} == set(LABELS)
    names = {each["id"]: each["name"] for each in coco.dataset["categories"]}
    expected = by_name(read_dataset(outlines))
    assert len(coco.imgs) == len(expected)
    for key, entry in coco.imgs.items():
        image = expected[Path(entry["file_name"]).stem]
        found = coco.loadAnns(coco.getAnnIds(imgIds=[key]))
        assert len(found) == len(image.objects)
        size = entry["width"], entry["height"]
        for annotation, each in zip(found, image.objects, strict=True):
            left, top, wide, high = annotation["bbox"]
            box = np.array([left, top, left + wide, top + high]) / (*size, *size)
            assert np.abs(box - each.box).max() < 1e-6
            assert names[annotation["category_id"]] == each.label
            theirs, ours = coco.annToMask(annotation).astype(bool), pixels_of(each, size[::-1])
            # they round to the nearest pixel what is exact here
            assert (theirs & ours).sum() / (theirs | ours).sum() > 0.95
            assert annotation["area"] == pytest.approx(ours.sum(), rel=0.03)


def globox_boxes(found: Any) -> dict[str, list[tuple[str, Box]]]:
    """Return labels and boxes, in shares, by the names of images."""
    images: dict[str, list[tuple[str, Box]]] = {}
    for annotation in found:
        width, height = annotation.image_size
        name = Path(str(annotation.image_id)).stem
        images[name] = sorted(
            (str(box.label), (box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height))
            for box in annotation.boxes
        )
    return images


@pytest.mark.parametrize("form", ["coco", "voc", "yolo"])
def test_boxes_mean_to_globox_what_they_mean_to_us(form: str, boxes: Path, tmp_path: Path) -> None:
    target = convert(boxes, tmp_path / NAMES.get(form, form), form)
    if form == "coco":
        found = globox.AnnotationSet.from_coco(target)
    elif form == "voc":
        found = globox.AnnotationSet.from_pascal_voc(target / "Annotations")
    else:
        found = globox.AnnotationSet.from_yolo_v5(
            target / "labels", image_folder=target / "images", image_extension=".png"
        )
    labels = {str(number): label for number, label in enumerate(LABELS)} if form == "yolo" else {}
    theirs = globox_boxes(found)
    expected = by_name(read_dataset(boxes))
    assert theirs.keys() == expected.keys()
    for name, image in expected.items():
        ours = sorted((str(each.label), each.box) for each in image.objects)
        named = sorted((labels.get(label, label), box) for label, box in theirs[name])
        assert [label for label, _ in named] == [label for label, _ in ours]
        for (_, one), (_, other) in zip(named, ours, strict=True):
            assert np.abs(np.subtract(one, other)).max() < 1e-6


@pytest.mark.parametrize("form", ["coco", "voc", "yolo"])
def test_what_globox_writes_is_read(form: str, boxes: Path, tmp_path: Path) -> None:
    given = globox.AnnotationSet.from_coco(convert(boxes, tmp_path / "given.json", "coco"))
    images = boxes.parent / "images"
    # globox calls an image by the file_name, which has the way to its folder in it
    renamed = globox.AnnotationSet(
        globox.Annotation(Path(str(each.image_id)).name, each.image_size, each.boxes) for each in given
    )
    if form == "coco":
        renamed.save_coco(tmp_path / "theirs.json", auto_ids=True)
        source = tmp_path / "theirs.json"
    elif form == "voc":
        source = tmp_path / "theirs"
        renamed.save_pascal_voc(source)
    else:
        source = tmp_path / "theirs"
        source.mkdir()
        renamed.save_yolo_v5(source / "labels", label_to_id={label: number for number, label in enumerate(LABELS)})
        (source / "images").symlink_to(images)
        (source / "classes.txt").write_text("\n".join(LABELS))
    target = convert(source, tmp_path / "ours.jsonl", "jsonl", "--root", str(images))
    assert_same_boxes(read_dataset(target), read_dataset(boxes))
