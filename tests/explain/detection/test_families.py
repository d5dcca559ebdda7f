"""Every family of detectors: the number that stands for a box is the one that the reply tells, and has gradients."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients

from explain.detection.executor import DetectorExecutor
from explain.detection.explained_boxes import BoxNetwork
from explain.detection.work_items import DetectionPass
from explain.network.work_items import WorkSlice
from explain.request.parameter_types import SIDES, Aspect
from models.detector import Detector
from tests.support.explained_detectors import IMAGE, MASK_QUERIES, NAMES, TORCHVISION, explained, explained_detector
from tests.support.images import LIMITS

JUMPING = ("RTDetrForObjectDetection", "DFineForObjectDetection", "Mask2FormerForUniversalSegmentation")
LOW: dict[str, Any] = {"box_score_thresh": 0.05}


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detector]:
    yield explained_detector(request.param, tmp_path_factory.mktemp("detector") / "model")


def scored(model: Detector) -> tuple[DetectorExecutor, DetectionPass]:
    executor = DetectorExecutor(lambda: model)
    item = DetectionPass(model.read(IMAGE, LIMITS, model.settings(LOW)).inputs[0].data, with_rows=True)
    executor.run([WorkSlice(item, 0, 1)], 1)
    return executor, item


def test_rows_hold_what_the_reply_tells(model: Detector) -> None:
    """Each box has its row again, with its label, its place and its score."""
    _, item = scored(model)
    found, rows, size = item.detections, item.rows, item.source.size
    assert rows is not None and len(found.scores) >= 2
    for box, score, label in zip(found.boxes, found.scores.tolist(), found.labels.tolist(), strict=True):
        corners = box * torch.tensor([size[1], size[0]] * 2)
        row, overlap = rows.own(corners, label, score)
        coarse = "Mask" in model.definition.architecture.name  # a mask is enlarged before its extent is told
        assert overlap > (0.7 if coarse else 0.99)
        assert float(rows.scores(label)[row]) == pytest.approx(score, abs=0.02 if coarse else 1e-4)


def test_the_number_of_a_box_is_the_same_from_pixels_and_from_maps(model: Detector) -> None:
    explanation = explained(model, {"xai_algorithm": "odam", "top_k": 2}, **LOW)
    executor, item = scored(model)
    for one in explanation.attributions:
        boxes = executor.explained_boxes(item, [one.target], lambda growth: False)
        from_pixels = boxes.network.logits(boxes.inputs[None])[0, 0]
        with torch.enable_grad():
            from_maps = executor.family.of_maps(item.outputs, item.source).read(one.target).numbers
        assert torch.allclose(from_pixels, from_maps.detach(), atol=1e-3)
        if not executor.family.pools_box and model.definition.architecture.name.split("/")[-1] not in MASK_QUERIES:
            assert float(from_pixels[1]) == pytest.approx(one.target.score, abs=1e-3)


def test_heat_is_of_the_size_of_the_content_and_differs_between_boxes(model: Detector) -> None:
    explanation = explained(model, {"xai_algorithm": "odam", "top_k": 3}, **LOW)
    maps = [one.values for one in explanation.attributions]
    assert len(maps) >= 2
    for values in maps:
        assert values.shape == explanation.pixels.shape[:2]
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() <= 1
    assert sum(values.max() > 0.5 for values in maps) >= 2
    assert np.abs(maps[0] - maps[1]).max() > 0.05


def test_every_aspect_of_a_family_has_a_map(model: Detector) -> None:
    executor = DetectorExecutor(lambda: model)
    for aspect in sorted(executor.family.aspects):
        (one,) = explained(model, {"xai_algorithm": "odam", "aspect": aspect}, **LOW).attributions
        assert one.target.aspect == aspect
        assert np.isfinite(one.values).all()


def test_gradients_of_pixels_sum_to_the_change_of_the_number(model: Detector) -> None:
    if model.definition.architecture.name.split("/")[-1] in JUMPING:
        pytest.skip("chooses its queries, or what they look at, anew for every image, so its numbers jump")
    (one,) = explained(
        model, {"xai_algorithm": "integrated_gradients", "n_steps": 64, "baseline": "blur"}, **LOW
    ).attributions
    assert one.attribution.values.shape[0] == 3
    assert one.attribution.gap is not None
    assert one.attribution.gap < 0.5  # small networks with ReLUs on images of few pixels bend sharply


@pytest.mark.parametrize("aspect", ["label", *SIDES])
def test_integrated_gradients_are_those_of_captum(tmp_path_factory: pytest.TempPathFactory, aspect: Aspect) -> None:
    model = explained_detector(TORCHVISION[0], tmp_path_factory.mktemp("detector") / "model")
    parameters = {"xai_algorithm": "integrated_gradients", "n_steps": 8, "baseline": "black", "aspect": aspect}
    (one,) = explained(model, parameters, **LOW).attributions
    executor, item = scored(model)
    boxes = executor.explained_boxes(item, [replace(one.target, aspect=aspect)], lambda growth: False)
    network = BoxNetwork(executor.family, item.source, boxes.boxes)
    black = boxes.normalise(torch.zeros_like(boxes.pixels, dtype=torch.float32))
    expected = IntegratedGradients(lambda batch: network.logits(batch)[:, 0, 0]).attribute(
        boxes.inputs[None], black[None], method="riemann_middle", n_steps=8, internal_batch_size=1
    )
    assert torch.allclose(one.attribution.values, expected[0].float(), atol=1e-5 + 1e-3 * float(expected.abs().max()))
