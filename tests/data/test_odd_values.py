"""No value in a file, of whatever type, ends the reading of a data set or the writing of what is left of it."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.errors import DataError
from data.format import PlacedImage, WriteOptions
from data.reading import FORMATS, read_dataset

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1e308,
    float("nan"),
    "",
    "1e5",
    "\ud800",
    [],
    {},
    [[]],
    [{}],
    [None],
    {"a": 1},
    [1, [2]],
]
WRITTEN = ("jsonl", "coco", "labelstudio")
RUNS = {"size": [2, 2], "counts": [1, 3]}
DOCUMENTS: dict[str, Any] = {
    "jsonl": {
        "image_url": "a.jpg",
        "image_details": {"width": 2, "height": "2px"},
        "label": [
            {"label": "can", "topX": 0.1, "topY": 0.2, "bottomX": 0.3, "bottomY": 0.4, "isCrowd": 0},
            {"label": "can", "polygon": [[0.1, 0.2, 0.3, 0.2, 0.3, 0.4]]},
        ],
    },
    "coco": {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 2, "height": 2}],
        "categories": [{"id": 1, "name": "can"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 1], "iscrowd": 0, "segmentation": [[0, 0, 1, 0, 1, 1]]},
            {"image_id": 1, "category_id": 1, "segmentation": RUNS},
        ],
    },
    "labelstudio": [
        {
            "data": {"image": "a.jpg"},
            "annotations": [
                {
                    "updated_at": "2026-01-01",
                    "result": [
                        {
                            "type": "rectanglelabels",
                            "original_width": 2,
                            "original_height": 2,
                            "value": {
                                "x": 1,
                                "y": 2,
                                "width": 3,
                                "height": 4,
                                "rotation": 5,
                                "rectanglelabels": ["can"],
                            },
                        },
                        {
                            "type": "polygonlabels",
                            "meta": {"part_of": "x"},
                            "value": {"points": [[1, 2], [3, 2], [3, 4]], "polygonlabels": ["can"]},
                        },
                        {"type": "choices", "value": {"choices": ["can"]}},
                        {"type": "brushlabels", "value": {"rle": [0, 0, 0, 16], "brushlabels": ["can"]}},
                    ],
                }
            ],
        }
    ],
}


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        yield from ((key, *way) for way in places(inner))


def changed(document: Any, way: tuple[Any, ...], odd: Any) -> Any:
    document = copy.deepcopy(document)
    inner = document
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = odd
    return document


@pytest.mark.parametrize("form", DOCUMENTS)
def test_every_value_may_be_any_other(form: str, tmp_path: Path) -> None:
    file, target = tmp_path / "given", tmp_path / "written"
    read = 0
    for way in places(DOCUMENTS[form]):
        for odd in ODD:
            file.write_text(json.dumps(changed(DOCUMENTS[form], way, odd)))
            try:
                dataset = read_dataset(file, format=form, task="segmentation", size_of=lambda url: (2, 2))
            except DataError:
                continue
            read += 1
            labels = tuple({each.label: None for image in dataset.images for each in image.objects})
            placed = [PlacedImage(image, None, (2, 2)) for image in dataset.images]
            FORMATS[WRITTEN[read % 3]].write(placed, target, WriteOptions("segmentation", labels))
            target.unlink()
    assert read > 100
