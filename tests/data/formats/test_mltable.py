from pathlib import Path
from typing import Any

import pytest
import yaml

from data.dataset import Dataset
from data.errors import DataError
from data.format import PlacedImage, WriteOptions
from data.formats.mltable import FORMAT
from data.reading import read_dataset
from data.record import LabelledImage

READING: dict[str, Any] = {"read_json_lines": {"encoding": "utf8", "invalid_lines": "error"}}
CONVERSION = {"convert_column_types": [{"columns": "image_url", "column_type": "stream_info"}]}
LINE = '{"image_url": "%s", "label": "can"}\n'


def write(folder: Path, content: Any = None, **lines: str) -> Path:
    for stem, text in lines.items():
        file = folder / (stem.replace("__", "/") + ".jsonl")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    given = content or {"paths": [{"file": "./train.jsonl"}], "transformations": [READING, CONVERSION]}
    (folder / "MLTable").write_text(given if isinstance(given, str) else yaml.safe_dump(given))
    return folder


def urls(dataset: Dataset) -> list[tuple[int, str]]:
    return [(image.line, image.url) for image in dataset.images]


def test_it_is_read_as_the_jsonl_that_it_names(tmp_path: Path) -> None:
    write(tmp_path, train=LINE % "a.jpg" + "half a line\n")
    for given in (tmp_path, tmp_path / "MLTable"):
        dataset = read_dataset(given)
        assert urls(dataset) == [(1, "a.jpg")]
        assert (dataset.folder, [fault.line for fault in dataset.faults]) == (tmp_path, [2])


def test_urls_are_relative_to_their_jsonl(tmp_path: Path) -> None:
    content = {"paths": [{"pattern": "./*/*.jsonl"}, {"file": "a/one.jsonl"}], "transformations": [READING]}
    write(tmp_path, content, a__one=LINE % "1.jpg" + LINE % "/abs.jpg" + "half", b__two=LINE % "2.jpg" + "half")
    dataset = read_dataset(tmp_path)
    assert dataset.folder == tmp_path
    assert urls(dataset) == [(1, "a/1.jpg"), (2, "/abs.jpg"), (4, "b/2.jpg")]
    assert [fault.line for fault in dataset.faults] == [3, 5]
    assert "Lines 4 to 5" in dataset.notes[1]
    alone = {"paths": [{"folder": "a"}], "transformations": ["read_json_lines"]}
    assert read_dataset(write(tmp_path, alone)).folder == tmp_path / "a"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"paths": [{"file": "train.jsonl"}]}, "no transformations"),
        ({"transformations": [READING]}, "no paths"),
        ({"paths": [{"file": "absent.jsonl"}], "transformations": [READING]}, "no file"),
        ({"paths": [{"pattern": "*.txt"}], "transformations": [READING]}, "no file"),
        ({"paths": ["train.jsonl"], "transformations": [READING]}, "expected a file"),
        ({"paths": [{"file": "azureml://datastores/d/paths/p"}], "transformations": [READING]}, "Download"),
        ({"paths": [{"file": "train.jsonl"}], "transformations": [READING, "drop_columns"]}, "drop_columns"),
        ({"paths": [{"file": "train.jsonl"}], "transformations": [{"read_delimited": {}}]}, "read_delimited"),
        ({"paths": [{"file": "train.jsonl"}], "transformations": [READING, {"take": 5}, CONVERSION]}, "take"),
        ({"paths": [{"file": "train.jsonl"}], "transformations": [CONVERSION]}, "convert_column_types"),
        ({"paths": [{"file": "train.jsonl"}], "transformations": [{"read_json_lines": {"partition": 1}}]}, "partition"),
        (
            {"paths": [{"file": "train.jsonl"}], "transformations": [{"read_json_lines": {"encoding": "latin1"}}]},
            "latin1",
        ),
        (
            {
                "paths": [{"file": "train.jsonl"}],
                "transformations": [READING, {"convert_column_types": [{"columns": "label", "column_type": "int"}]}],
            },
            "'label'",
        ),
        ({"paths": [{"file": "train.jsonl"}], "transformations": [READING], "traits": {}}, "traits"),
        ("paths: [", "not valid YAML"),
        ("- paths", "expected paths"),
    ],
)
def test_what_is_not_carried_out_is_refused_by_name(content: Any, said: str, tmp_path: Path) -> None:
    write(tmp_path, content, train=LINE % "a.jpg")
    with pytest.raises(DataError, match=said):
        read_dataset(tmp_path)


def test_what_is_written_reads_as_it_was(tmp_path: Path) -> None:
    image = LabelledImage("a.jpg", 1, ("can",))
    FORMAT.write([PlacedImage(image)], tmp_path / "out", WriteOptions("multiclass"))
    assert read_dataset(tmp_path / "out").images == (image,)
    content = yaml.safe_load((tmp_path / "out" / "MLTable").read_text())
    assert content["paths"] == [{"file": "./data.jsonl"}]
    assert list(content["transformations"][0]) == ["read_json_lines"]
    assert content["transformations"][1] == CONVERSION
