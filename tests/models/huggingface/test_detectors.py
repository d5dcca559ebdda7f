"""Detectors of transformers against the library itself, and what would let an image's neighbours change its boxes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.ops import box_iou

from models.detection.adapter import Detections
from models.detector import Detector
from models.errors import ModelError
from models.huggingface.query_adapter import select
from models.loaded import load
from settings.model import QueryDetectionSettings
from tests.support.detections import Rows, assert_alike, predicted
from tests.support.folders.checkpoints import LABELS, write_json
from tests.support.folders.transformers_folders import DETECTORS, Reference, save
from tests.support.images import LIMITS, encoded, painted

IMAGES = [encoded(painted(seed, *size), "PNG") for seed, size in enumerate([(151, 97), (90, 207), (60, 50)])]
CONDITIONAL, DEFORMABLE = "ConditionalDetrForObjectDetection", "DeformableDetrForObjectDetection"
DETR = "DetrForObjectDetection"


@dataclass(frozen=True)
class Served:
    """A loaded folder beside the library's own way to use it."""

    name: str
    model: Detector
    original: Reference


@pytest.fixture(scope="module", params=DETECTORS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = save(tmp_path_factory.mktemp("hf") / "model", request.param)
    yield Served(request.param, loaded(folder), Reference(folder, request.param))


def loaded(folder: Path) -> Detector:
    model = load(folder)
    assert isinstance(model, Detector)
    return model


def test_boxes_are_those_of_the_library(served: Served) -> None:
    for data in IMAGES:
        expected = served.original.boxes(data, 0.5)
        assert_alike(predicted(served.model, data), expected)
        scores = [score for _, score, _ in expected]
        assert len(set(scores)) >= 3, "the network tells its queries apart"
        lower = served.original.boxes(data, min(scores) - 0.2)
        assert_alike(predicted(served.model, data, box_score_thresh=min(scores) - 0.2), lower[:100])


def test_boxes_come_best_first_within_the_image(served: Served) -> None:
    for data in IMAGES:
        rows = predicted(served.model, data, box_score_thresh=0.0)
        assert [score for _, score, _ in rows] == sorted((score for _, score, _ in rows), reverse=True)
        assert all(0 <= left <= right <= 1 and 0 <= top <= bottom <= 1 for _, _, (left, top, right, bottom) in rows)
        assert predicted(served.model, data, box_score_thresh=0.0, box_detections_per_img=3) == rows[:3]


def test_what_shares_a_batch_changes_nothing(served: Served) -> None:
    """Views of one padded size share a batch, whatever lies within; what rounding leaves is far below a pixel."""
    model, settings = served.model, served.model.settings({"box_score_thresh": 0.3})
    sizes = [(120, 90), (120, 90), (90, 120)]  # the third shares a batch where images are padded or squashed
    inputs = [
        model.read(encoded(painted(seed, *size), "PNG"), LIMITS, settings).inputs[0] for seed, size in enumerate(sizes)
    ]
    assert inputs[0].shape == inputs[1].shape
    assert (inputs[0].shape == inputs[2].shape) == (
        served.name == CONDITIONAL or "RT" in served.name or "DF" in served.name
    )
    batch = [one.data for one in inputs if one.shape == inputs[0].shape]
    for one, found in zip(batch, model.outputs(batch), strict=True):
        (alone,) = model.outputs([one])
        assert_alike(rows(found), rows(alone))


def rows(found: Detections) -> Rows:
    return [
        (LABELS[label], score, box)
        for label, score, box in zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    ]


def test_what_is_served_is_described(served: Served) -> None:
    definition = served.model.definition
    assert definition.architecture.name == f"transformers/{served.name}"
    assert (definition.labels, definition.task.name) == (LABELS, "detection")
    fresh = definition.architecture.build(len(LABELS), definition.settings.values)
    assert fresh.state_dict().keys() == served.model.network.state_dict().keys()


def test_padding_is_no_part_of_the_image(tmp_path: Path) -> None:
    """The network gets a mask of the image: without it, boxes would be shares of the padded square."""
    model = loaded(save(tmp_path / "m", CONDITIONAL))
    one = model.read(IMAGES[0], LIMITS, model.settings({})).inputs[0].data
    assert (one.size, one.padded) == ((51, 80), (96, 96))
    graph_inputs: list[torch.Tensor] = []

    def graph(batch: torch.Tensor) -> Sequence[torch.Tensor]:
        graph_inputs.append(batch)
        return model.graph(batch)

    model.with_runtime("spy", graph).outputs([model.read(IMAGES[0], LIMITS, model.settings({})).inputs[0].data])
    mask = graph_inputs[0][0, 3]
    assert mask[:51, :80].min() == 1
    assert mask.sum() == 51 * 80
    assert graph_inputs[0][0, :3, 51:].abs().max() == 0


def test_a_tile_shows_what_its_part_of_the_image_shows_alone(tmp_path: Path) -> None:
    model = loaded(save(tmp_path / "m", DETR))
    settings = model.settings({"tile_grid_size": [2, 1], "box_score_thresh": 0.6})
    read = model.read(IMAGES[0], LIMITS, settings)
    assert len(read.inputs) == len(read.tiles) == 3
    image = Image.open(BytesIO(IMAGES[0]))
    for one, tile in zip(read.inputs, read.tiles, strict=True):
        part = encoded(image.crop((tile.left, tile.top, tile.right, tile.bottom)), "PNG")
        assert_alike(rows(model.outputs([one.data])[0]), predicted(model, part, box_score_thresh=0.6))
    joined = predicted(model, IMAGES[0], tile_grid_size=[2, 1], box_score_thresh=0.6)
    assert joined[0][1] == max(float(model.outputs([one.data])[0].scores.max()) for one in read.inputs)


def test_boxes_suppress_each_other_only_where_that_is_asked_for(tmp_path: Path) -> None:
    model = loaded(save(tmp_path / "m", DEFORMABLE))
    every, suppressed = predicted(model, IMAGES[0]), predicted(model, IMAGES[0], nms_iou_thresh=0.3)
    assert 0 < len(suppressed) < len(every)
    assert suppressed[0] == every[0]
    for number, (label, _, box) in enumerate(suppressed):
        others = [other for name, _, other in suppressed[:number] if name == label]
        if others:
            assert box_iou(torch.tensor([box]), torch.tensor(others)).max() <= 0.3 + 1e-4


@pytest.mark.parametrize("name", [DETR, DEFORMABLE])
def test_a_backbone_of_timm_is_built_without_a_network(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most checkpoints name a backbone whose own weights would have to be fetched, only to be replaced."""
    backbone = {
        "model_type": "timm_backbone",
        "backbone": "resnet10t",
        "features_only": True,
        "use_pretrained_backbone": False,
        "out_indices": [2, 3, 4] if name == DEFORMABLE else [4],
    }
    folder = save(tmp_path / "m", name, use_timm_backbone=True, backbone_config=backbone)
    config = json.loads((folder / "config.json").read_text())
    del config["backbone_config"]
    older = {"use_timm_backbone": True, "backbone": "resnet10t", "use_pretrained_backbone": True}
    write_json(folder / "config.json", config | older)

    def connect(*address: object) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr("socket.socket.connect", connect)
    assert_alike(predicted(loaded(folder), IMAGES[0]), Reference(folder, name).boxes(IMAGES[0], 0.5))


def test_a_network_that_computes_no_numbers_is_an_error(tmp_path: Path) -> None:
    model = loaded(save(tmp_path / "m", DETR))
    one = model.read(IMAGES[0], LIMITS, model.settings({})).inputs[0].data
    broken = model.with_runtime(
        "broken", lambda batch: [torch.full_like(each, torch.nan) for each in model.graph(batch)]
    )
    with pytest.raises(ModelError, match="not finite"):
        broken.outputs([one])


def settings(**values: Any) -> QueryDetectionSettings:
    return QueryDetectionSettings.model_validate(values)


BOXES = torch.tensor([[0.5, 0.5, 0.4, 0.2], [0.1, 0.9, 0.4, 0.4]])


def test_an_exclusive_query_is_the_best_of_its_labels_unless_it_is_nothing() -> None:
    shares = torch.tensor([[0.1, 0.6, 0.3], [0.25, 0.15, 0.6]])  # the last column means nothing
    found = select(shares.log(), BOXES, "exclusive", settings(box_score_thresh=0.2))
    assert found.labels.tolist() == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.6, 0.25])
    assert found.boxes[0].tolist() == pytest.approx([0.3, 0.4, 0.7, 0.6])
    assert found.boxes[1].tolist() == pytest.approx([0, 0.7, 0.3, 1]), "cut off at the edges"
    assert select(shares.log(), BOXES, "exclusive", settings(box_score_thresh=0.25)).labels.tolist() == [1]


def test_an_independent_query_may_be_several_objects() -> None:
    logits = torch.tensor([[0.2, 0.9], [0.8, 0.7]]).logit()
    found = select(logits, BOXES, "independent", settings(box_score_thresh=0.5))
    assert list(zip(found.labels.tolist(), found.scores.tolist(), strict=True)) == [
        (1, pytest.approx(0.9)),
        (0, pytest.approx(0.8)),
        (1, pytest.approx(0.7)),
    ]
    assert torch.equal(found.boxes[1], found.boxes[2])
    assert select(logits, BOXES, "independent", settings(box_detections_per_img=2)).labels.tolist() == [1, 0]
    assert len(select(logits, BOXES, "independent", settings(box_score_thresh=1.0)).labels) == 0
