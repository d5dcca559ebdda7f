"""Replies as COCO results and as supervision's detections, read by pycocotools and supervision themselves."""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision as sv
from PIL import Image

from examples.clients import coco_results
from examples.clients.client import Detection
from examples.clients.supervision_detections import supervision_detections
from tests.support.servers.protocol_site import JPEG, ProtocolSite

SIZE = (200, 100)
CATEGORIES = {"can": 3, "carton": 7}
# a square of 40 pixels with a hole of 20, an L and a line without an area, and a box that has no mask
FOUND = [
    Detection(
        "can",
        0.9,
        (0.1, 0.2, 0.3, 0.6),
        ((0.1, 0.2, 0.3, 0.2, 0.3, 0.6, 0.1, 0.6), (0.15, 0.3, 0.25, 0.3, 0.25, 0.5, 0.15, 0.5)),
    ),
    Detection(
        "carton",
        0.8,
        (0.5, 0.1, 0.9, 0.9),
        ((0.5, 0.1, 0.7, 0.1, 0.7, 0.7, 0.9, 0.7, 0.9, 0.9, 0.5, 0.9), (0.5, 0.1, 0.6, 0.1)),
    ),
    Detection("can", 0.7, (0.0, 0.0, 1.0, 1.0)),
]
AREAS = [40 * 40 - 20 * 20, 40 * 80 + 40 * 20]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with ProtocolSite(tmp_path_factory.mktemp("converters")) as running:
        yield running


def truth(found: Sequence[Detection], kind: str) -> dict[str, Any]:
    """The content of a COCO file in which all that was found is true."""
    results = coco_results.coco_results(found, 1, SIZE, CATEGORIES)
    annotations = [
        {key: value for key, value in one.items() if key != "score"}
        | {"id": number, "iscrowd": 0, "area": one["bbox"][2] * one["bbox"][3]}
        for number, one in enumerate(results, 1)
        if kind == "bbox" or "segmentation" in one
    ]
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": SIZE[0], "height": SIZE[1]}],
        "categories": [{"id": number, "name": name} for name, number in CATEGORIES.items()],
        "annotations": annotations,
    }


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools reads masks in an old way
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_cocoeval_finds_all_that_is_true(tmp_path: Path, kind: str) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found = FOUND if kind == "bbox" else FOUND[:2]
    (tmp_path / "truth.json").write_text(json.dumps(truth(found, kind)))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "truth.json"))
        results = coco.loadRes(coco_results.coco_results(found, 1, SIZE, CATEGORIES))
        evaluation = COCOeval(coco, results, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
    if kind == "segm":
        areas = [int(results.annToMask(one).sum()) for one in results.anns.values()]
        assert areas == pytest.approx(AREAS, rel=0.07)


def test_supervision_gets_pixels_labels_and_masks() -> None:
    found = supervision_detections(FOUND, SIZE, ["carton", "can"])
    assert np.allclose(found.xyxy[0], [20, 20, 60, 60])
    assert np.asarray(found.class_id).tolist() == [1, 0, 1]
    assert list(found.data["class_name"]) == ["can", "carton", "can"]
    mask = np.asarray(found.mask)
    assert mask.shape == (3, 100, 200)
    assert mask.dtype == bool
    assert mask.sum((1, 2))[:2] == pytest.approx(AREAS, rel=0.07), "the outline counts as well"
    assert not mask[2].any()
    drawn = sv.MaskAnnotator().annotate(np.zeros((100, 200, 3), np.uint8), found)
    assert drawn[25, 25].any()
    assert not drawn[40, 40].any(), "the hole"
    assert len(supervision_detections([], SIZE)) == 0


def test_the_command_writes_what_the_server_finds(
    site: ProtocolSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    row = site.prediction(name="objects")
    width, height = Image.open(io.BytesIO(JPEG)).size
    names = sorted({one["label"] for one in row["boxes"]})
    content = {
        "images": [{"id": 42, "file_name": "a.jpg", "width": width, "height": height}],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, 5)],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    words = [str(tmp_path / "truth.json"), str(tmp_path), str(tmp_path / "results.json"), "--url", site.server.url]
    assert coco_results.main([*words, "--deployment", "objects"]) == 0
    assert f"1 of 1: a.jpg, {len(row['boxes'])} objects" in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_bytes())
    assert len(results) == len(row["boxes"]) > 0
    for one, box in zip(results, row["boxes"], strict=True):
        assert (one["image_id"], one["category_id"]) == (42, 5 + names.index(box["label"]))
        left, top, wide, high = one["bbox"]
        assert (left / width, top / height) == pytest.approx((box["box"]["topX"], box["box"]["topY"]))
        assert ((left + wide) / width, (top + high) / height) == pytest.approx(
            (box["box"]["bottomX"], box["box"]["bottomY"])
        )
    content["categories"] = [{"id": 1, "name": "other"}]
    (tmp_path / "truth.json").write_text(json.dumps(content))
    assert coco_results.main([*words, "--deployment", "objects"]) == 1
    assert "is no category or key of" in capsys.readouterr().err
    assert coco_results.main([*words, "--deployment", "fridge"]) == 1, "a classifier finds no boxes"
    (tmp_path / "a.jpg").unlink()
    assert coco_results.main([*words, "--deployment", "objects"]) == 1
    assert "a.jpg" in capsys.readouterr().err
