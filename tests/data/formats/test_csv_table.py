from pathlib import Path

import pytest

from data.dataset import Dataset
from data.errors import DataError
from data.format import PlacedImage, Size, WriteOptions
from data.formats.csv_table import FORMAT
from data.reading import read_dataset
from data.record import LabelledImage, LabelledObject
from models.folder.manifest import TaskName


def read(folder: Path, text: str | bytes, name: str = "train.csv", **options: object) -> Dataset:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_dataset(file, **options)  # type: ignore[arg-type]


def codes(dataset: Dataset) -> list[tuple[int, str]]:
    return [(fault.line, fault.fault) for fault in dataset.faults]


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,can\nb.jpg,carton\n",
        "path,label\na.jpg,can\nb.jpg,carton\n",
        "label;filename\ncan;a.jpg\ncarton;b.jpg\n",
        "\ufeffImage\tCLASS\r\na.jpg\tcan\r\n\r\nb.jpg\tcarton\r\n",
        '"path"|"label"\n"a.jpg"|"can"\n"b.jpg"|"carton"',
        "id,path,class,split\n1,a.jpg,can,train\n2,b.jpg,carton,train\n",
    ],
)
def test_one_label_in_many_forms(text: str, tmp_path: Path) -> None:
    dataset = read(tmp_path, text)
    assert dataset.task == "multiclass"
    assert [(image.url, image.labels) for image in dataset.images] == [("a.jpg", ("can",)), ("b.jpg", ("carton",))]
    assert dataset.faults == ()


def test_quotes_and_other_marks_in_cells(tmp_path: Path) -> None:
    dataset = read(tmp_path, 'path,label\n"a, b.jpg","can ""large"""\n"c\nd.jpg",can; old\ne.jpg,can\n')
    assert [(image.url, image.labels, image.line) for image in dataset.images] == [
        ("a, b.jpg", ('can "large"',), 2),
        ("c\nd.jpg", ("can; old",), 3),
        ("e.jpg", ("can",), 5),
    ]


def test_several_labels(tmp_path: Path) -> None:
    dataset = read(tmp_path, "a.jpg,can,carton\nb.jpg,can\nc.jpg,\n")
    assert dataset.task == "multilabel"
    assert [image.labels for image in dataset.images] == [("can", "carton"), ("can",), ()]
    named = read(tmp_path, "path,label1,label2\na.jpg,can,\n")
    assert (named.task, named.images[0].labels) == ("multilabel", ("can",))
    asked = read(tmp_path, "a.jpg,can\n", task="multilabel")
    assert (asked.faults, asked.images[0].labels) == ((), ("can",))


def test_the_first_rows_are_shown_as_they_were_understood(tmp_path: Path) -> None:
    notes = read(tmp_path, "path;label\na.jpg;can\nb.jpg;\nc.jpg;can\nd.jpg;can\n").notes
    assert notes[0] == "The table has a header and is separated by ';': paths in 'path'; labels in 'label'."
    assert notes[1:] == (
        "Line 2 is a.jpg, labelled can.",
        "Line 3 is b.jpg, labelled with nothing.",
        "Line 4 is c.jpg, labelled can.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,can,20,10,80,60\nb.jpg,,,,,\n",
        "a.jpg,20,10,80,60,can\nb.jpg,,,,,\n",
        "path,label,xmin,ymin,xmax,ymax\na.jpg,can,20,10,80,60\nb.jpg,,,,,\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,200,100,can,20,10,80,60\nb.jpg,200,100,,,,,\n",
        "x1,y1,x2,y2,class_name,image\n0.1,0.1,0.4,0.6,can,a.jpg\n,,,,,b.jpg\n",
    ],
)
def test_boxes_in_many_forms(text: str, tmp_path: Path) -> None:
    dataset = read(tmp_path, text, size_of=lambda url: (200, 100))
    assert dataset.task == "detection"
    assert [(image.url, image.objects) for image in dataset.images] == [
        ("a.jpg", (LabelledObject("can", (0.1, 0.1, 0.4, 0.6)),)),
        ("b.jpg", ()),
    ]


def test_rows_of_an_image_come_together_and_bad_ones_are_faults(tmp_path: Path) -> None:
    def size_of(url: str) -> Size | None:
        return None if url == "lost.jpg" else (200, 100)

    text = (
        "path,label,xmin,ymin,xmax,ymax\na.jpg,can,20,10,80,60\nb.jpg,can,0,0,wide,1\na.jpg,carton,0,0,200,100\n"
        ",can,1,2,3,4\na.jpg,,1,2,3,4\nlost.jpg,can,1,2,3,4\na.jpg,can,1,2\n"
    )
    dataset = read(tmp_path, text, size_of=size_of)
    (image,) = dataset.images
    assert (image.line, [each.label for each in image.objects]) == (2, ["can", "carton"])
    assert codes(dataset) == [
        (3, "box_not_number"),
        (5, "line_unreadable"),
        (6, "label_form"),
        (7, "image_missing"),
        (8, "box_not_number"),
    ]


def test_rows_that_cannot_be_read(tmp_path: Path) -> None:
    dataset = read(tmp_path, b"path,label\na.jpg,can\ncaf\xe9.jpg,can\n,can\nb.jpg,\n" + b"x" * 200_000 + b",can\n")
    assert [image.url for image in dataset.images] == ["a.jpg"]
    assert sorted(codes(dataset)) == [
        (3, "line_unreadable"),
        (4, "line_unreadable"),
        (5, "label_form"),
        (6, "line_unreadable"),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "can,carton\n", "weight,height\n1,2\n"])
def test_tables_without_a_meaning_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv"):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
@pytest.mark.parametrize(
    ("task", "image"),
    [
        ("multiclass", LabelledImage("a,\t1.jpg", 2, ("can",))),
        ("multilabel", LabelledImage("a.jpg", 2, ("can",))),
        ("multilabel", LabelledImage("a.jpg", 2, ("can", "carton", "milk"))),
        ("detection", LabelledImage("a.jpg", 2, (), (LabelledObject("can", (0, 0.25, 0.5, 0.75)),), (200, 100))),
        ("detection", LabelledImage("a.jpg", 2, (), (), (200, 100))),
    ],
)
def test_what_is_written_reads_as_it_was(task: TaskName, image: LabelledImage, name: str, tmp_path: Path) -> None:
    FORMAT.write([PlacedImage(image, None, (200, 100))], tmp_path / name, WriteOptions(task, ("can",)))
    dataset = read_dataset(tmp_path / name)
    assert (dataset.task, dataset.images, dataset.faults) == (task, (image,), ())
