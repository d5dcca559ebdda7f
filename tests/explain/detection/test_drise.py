"""D-RISE: weights by their formula, all boxes by the same passes, and what is independent of the number of masks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explain.detection.rows import Rows
from models.detector import Detector
from tests.support.explained_detectors import explained, explained_detector

LOW: dict[str, Any] = {"box_score_thresh": 0.05}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return explained_detector("fasterrcnn_resnet18_fpn", tmp_path_factory.mktemp("detector") / "model")


def test_a_weight_is_the_best_product_of_overlap_likeness_and_objectness() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0], [20.0, 20.0, 30.0, 30.0]])
    probabilities = torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.6, 0.8]])
    target, of_target = torch.tensor([0.0, 0.0, 10.0, 10.0]), torch.tensor([3.0, 4.0])
    products = [1.0 * 1.0 * 0.4, 0.5 * 0.6 * 1.0, 0.0]
    rows = Rows(boxes, probabilities, torch.tensor([0.4, 1.0, 1.0]))
    assert rows.similarity(target, 0, of_target) == pytest.approx(max(products), abs=1e-6)
    assert Rows(boxes, probabilities).similarity(target, 0, of_target) == pytest.approx(1.0, abs=1e-6)
    assert Rows(boxes[:0], probabilities[:0]).similarity(target, 0, of_target) == 0


def test_boxes_share_the_passes_and_the_same_seed_gives_the_same_map(model: Detector) -> None:
    request = {"xai_algorithm": "drise", "n_masks": 32, "seed": 3}
    both = explained(model, {**request, "target": [0, 1]}, **LOW).attributions
    again = explained(model, {**request, "target": [0, 1]}, **LOW).attributions
    other = explained(model, {**request, "target": [0, 1], "seed": 4}, **LOW).attributions
    assert [one.forward_passes for one in both] == [33, 33]
    for one, same, different in zip(both, again, other, strict=True):
        assert np.array_equal(one.values, same.values)
        assert not np.array_equal(one.values, different.values)
        assert one.attribution.agreement is not None
        assert -1 <= one.attribution.agreement <= 1
    assert np.abs(both[0].values - both[1].values).max() > 0


def test_it_explains_a_network_of_queries_too(tmp_path: Path) -> None:
    queries = explained_detector("DetrForObjectDetection", tmp_path / "model")
    (one,) = explained(queries, {"xai_algorithm": "drise", "n_masks": 16}, **LOW).attributions
    assert one.values.shape == explained(queries, {}, **LOW).pixels.shape[:2]
    assert np.isfinite(one.values).all()
