import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset import Dataset
from data.errors import DataError
from data.format import PlacedImage, WriteOptions
from data.formats.voc import FORMAT
from data.outlines import pixels_of
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject

OBJECT = """<object><name>can</name><difficult>{difficult}</difficult><bndbox>
<ymin>10</ymin><xmin>{xmin}</xmin><xmax>80</xmax><ymax>60</ymax></bndbox></object>"""


def xml(*objects: str, name: str = "a.png", size: str = "<width>200</width><height>100</height>") -> str:
    return f"<annotation><filename>{name}</filename><size>{size}</size>{''.join(objects)}</annotation>"


def can(xmin: object = 20, difficult: object = 0) -> str:
    return OBJECT.format(xmin=xmin, difficult=difficult)


def write(folder: Path, **files: str) -> Path:
    (folder / "Annotations").mkdir(exist_ok=True)
    (folder / "JPEGImages").mkdir(exist_ok=True)
    for stem, text in files.items():
        (folder / "Annotations" / f"{stem}.xml").write_text(text)
        (folder / "JPEGImages" / f"{stem}.png").touch()
    return folder


def codes(dataset: Dataset) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.fault, fault.done) for fault in dataset.faults]


@pytest.mark.parametrize(("origin", "box"), [(0, (0.1, 0.1, 0.4, 0.6)), (1, (0.095, 0.09, 0.4, 0.6))])
def test_boxes_from_0_and_from_1(origin: int, box: tuple[float, ...], tmp_path: Path) -> None:
    write(tmp_path, a=xml(can(), can(difficult=1)), b=xml(name="b.png"))
    dataset = read_dataset(tmp_path, voc_origin=origin)
    assert dataset.task == "detection"
    assert [(image.url, image.size) for image in dataset.images] == [
        ("JPEGImages/a.png", (200, 100)),
        ("JPEGImages/b.png", (200, 100)),
    ]
    assert [(each.box, each.crowd) for each in dataset.images[0].objects] == [(box, False), (box, True)]
    assert dataset.images[1].objects == ()


def test_files_that_lie_side_by_side_and_names_of_other_machines(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(xml(can(), name="C:\\pictures\\a.png"))
    (tmp_path / "a.png").touch()
    (tmp_path / "b.xml").write_text(xml(can(), name="renamed.jpg"))
    (tmp_path / "b.png").touch()
    (tmp_path / "c.xml").write_text(xml(can(), name="c"))
    (tmp_path / "c.png").touch()
    (tmp_path / "c.jpg").touch()
    # two files might be meant by c
    assert [image.url for image in read_dataset(tmp_path).images] == ["a.png", "b.png", "c"]


def test_sizes_that_are_not_told(tmp_path: Path) -> None:
    write(tmp_path, a=xml(can(), size="<width>0</width>"), b=xml(size=""))
    assert codes(read_dataset(tmp_path)) == [(1, "image_missing", "image dropped")]
    dataset = read_dataset(tmp_path, size_of=lambda url: (200, 100))
    assert dataset.images[0].objects[0].box == (0.1, 0.1, 0.4, 0.6)


def test_what_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=xml(can(), can("wide"), can("")),
        b="<annotation><size>",
        c="<html></html>",
        d=xml("<object><name>can</name></object>"),
    )
    dataset = read_dataset(tmp_path)
    assert [len(image.objects) for image in dataset.images] == [1]
    assert codes(dataset) == [
        (1, "box_not_number", "object dropped"),
        (1, "box_not_number", "object dropped"),
        (2, "line_unreadable", "image dropped"),
        (3, "line_unreadable", "image dropped"),
        (4, "box_not_number", "image dropped"),
    ]


def write_mask(folder: Path, *numbers: int, size: tuple[int, int] = (200, 100), mode: str = "P") -> None:
    (folder / "SegmentationObject").mkdir(exist_ok=True)
    pixels = np.zeros(size[::-1], np.uint8)
    for place, number in enumerate(numbers):
        pixels[10:60, 40 * place : 40 * place + 30] = number
    image = Image.fromarray(pixels)
    if mode == "P":
        image.putpalette([value for value in range(256) for _ in range(3)])
    image.convert(mode).save(folder / "SegmentationObject" / "a.png")


def test_masks_in_the_order_of_the_objects(tmp_path: Path) -> None:
    write(tmp_path, a=xml(can(), can(), can()))
    write_mask(tmp_path, 2, 255, 1, 3)
    dataset = read_dataset(tmp_path)
    assert dataset.task == "segmentation"
    starts = [each.mask.counts[0] // 100 for each in dataset.images[0].objects if each.mask]
    assert starts == [80, 0, 120]
    # numbers of another palette, as many as there are objects
    write_mask(tmp_path, 9, 40, 30)
    starts = [each.mask.counts[0] // 100 for each in read_dataset(tmp_path).images[0].objects if each.mask]
    assert starts == [0, 80, 40]


@pytest.mark.parametrize(
    ("numbers", "size", "mode"),
    [((9, 40), (200, 100), "P"), ((1, 2, 3), (100, 200), "P"), ((1, 2, 3), (200, 100), "RGB")],
)
def test_masks_of_something_else_are_ignored(
    numbers: tuple[int, ...], size: tuple[int, int], mode: str, tmp_path: Path
) -> None:
    write(tmp_path, a=xml(can(), can(), can()))
    write_mask(tmp_path, *numbers, size=size, mode=mode)
    dataset = read_dataset(tmp_path)
    assert codes(dataset) == [(1, "polygon_odd", "masks ignored")]
    assert [each.mask for each in dataset.images[0].objects] == [None] * 3


def test_folders_without_annotations(tmp_path: Path) -> None:
    assert not FORMAT.recognises(tmp_path)
    with pytest.raises(DataError, match="no XML files"):
        read_dataset(tmp_path, format="voc")
    (tmp_path / "notes.xml").write_text("<html></html>")
    assert not FORMAT.recognises(tmp_path)


def placed(folder: Path, *objects: LabelledObject, url: str = "a.png") -> PlacedImage:
    folder.mkdir(exist_ok=True)
    file = folder / url.rsplit("/", 1)[-1]
    Image.new("1", (200, 100)).save(file)
    return PlacedImage(LabelledImage(url, 1, (), objects), file, (200, 100))


def test_corners_are_written_unrounded(tmp_path: Path) -> None:
    third = LabelledObject("can", (1 / 3, 0.1, 2 / 3, 0.9))
    FORMAT.write([placed(tmp_path / "in", third)], tmp_path / "out", WriteOptions("detection", ("can",)))
    text = (tmp_path / "out" / "Annotations" / "a.xml").read_text()
    assert f"<xmin>{1 / 3 * 200}</xmin>" in text
    FORMAT.write([placed(tmp_path / "in", third)], tmp_path / "one", WriteOptions("detection", ("can",), 1))
    text = (tmp_path / "one" / "Annotations" / "a.xml").read_text()
    assert f"<xmin>{1 / 3 * 200 + 1}</xmin>" in text
    assert f"<xmax>{2 / 3 * 200}</xmax>" in text


def test_objects_that_overlap_stay_whole(tmp_path: Path) -> None:
    square = LabelledObject("can", (0, 0, 0.5, 0.5), ((0, 0, 0.5, 0, 0.5, 0.5, 0, 0.5),))
    parts = ((0.1, 0.1, 0.2, 0.1, 0.2, 0.2), (0.6, 0.6, 0.9, 0.6, 0.9, 0.9))
    objects = (square, LabelledObject("can", (0.1, 0.1, 0.9, 0.9), parts))
    for origin in (0, 1):
        options = WriteOptions("segmentation", ("can",), origin)
        report = FORMAT.write([placed(tmp_path / "in", *objects)], tmp_path / f"out{origin}", options)
        assert report.notes == ["1 object partly covered in the pictures of masks, but whole as polygons."]
        found = read_dataset(tmp_path / f"out{origin}", voc_origin=origin).images[0].objects
        for each, wanted in zip(found, objects, strict=True):
            assert each.box == pytest.approx(wanted.box)
            assert [pytest.approx(outline) for outline in wanted.polygons] == list(each.polygons)


def test_pictures_of_masks_say_the_same_as_polygons(tmp_path: Path) -> None:
    triangle = LabelledObject("can", (0.1, 0.1, 0.4, 0.9), ((0.1, 0.1, 0.4, 0.1, 0.4, 0.9),))
    square = LabelledObject("can", (0.5, 0.5, 0.9, 0.9), ((0.5, 0.5, 0.9, 0.5, 0.9, 0.9, 0.5, 0.9),))
    FORMAT.write([placed(tmp_path / "in", triangle, square)], tmp_path / "out", WriteOptions("segmentation", ("can",)))
    file = tmp_path / "out" / "Annotations" / "a.xml"
    file.write_text(re.sub("<polygon>.*</polygon>", "", file.read_text()))
    found = read_dataset(tmp_path / "out").images[0].objects
    assert [each.polygons for each in found] == [(), ()]
    for each, wanted in zip(found, (triangle, square), strict=True):
        assert (pixels_of(each, (100, 200)) == pixels_of(wanted, (100, 200))).all()


def test_polygons_that_cannot_be_used_are_faults(tmp_path: Path) -> None:
    good, odd, wide = (
        can().replace("</object>", f"<polygon>{points}</polygon></object>")
        for points in ("<y1>10</y1><x1>20</x1>", "<x1>20</x1>", "<x1>wide</x1><y1>10</y1>")
    )
    dataset = read_dataset(write(tmp_path, a=xml(good, odd, wide)))
    assert [each.polygons for each in dataset.images[0].objects] == [((0.1, 0.1),)]
    assert codes(dataset) == [(1, "box_not_number", "object dropped")] * 2


def test_what_has_no_place_is_told(tmp_path: Path) -> None:
    square = LabelledObject("can", (0, 0, 0.5, 0.5), ((0, 0, 0.5, 0, 0.5, 0.5, 0, 0.5),))
    images = [
        placed(tmp_path / "in", square),
        placed(tmp_path / "more", square, url="more/a.png"),
        placed(tmp_path / "in", *[square] * 255, url="b.png"),
        placed(tmp_path / "in", LabelledObject("c\0", (0, 0, 1, 1), square.polygons), url="c.png"),
    ]
    report = FORMAT.write(images, tmp_path / "out", WriteOptions("segmentation", ("can",)))
    assert [each.image.url for each in report.omissions] == ["c.png"]
    assert sorted(file.name for file in (tmp_path / "out" / "JPEGImages").iterdir()) == ["a-2.png", "a.png", "b.png"]
    assert any("more/a.png is named a-2.png" in note for note in report.notes)
    assert any("1 image of more than 254 objects" in note for note in report.notes)
    assert len(read_dataset(tmp_path / "out").images[2].objects) == 255
