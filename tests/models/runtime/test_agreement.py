"""What decides whether another runtime or precision may score: how far it is from float32."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from models.detection.adapter import Detections
from models.errors import ModelError
from models.loaded import load, reference_model
from models.runtime.agreement import Agreement, check_precision, compare, merge, precision_agreement
from models.runtime.deviation import Deviation
from tests.support.folders.detector_folders import load_detector, write_detector_folder
from tests.support.servers.live_server import run_server


def test_bf16_is_compared_with_fp32_and_fp32_with_nothing(fridge_folder: Path) -> None:
    assert precision_agreement(load(fridge_folder)) is None
    found = precision_agreement(load(fridge_folder, precision="bf16"))
    assert found is not None
    assert (found.same, found.images) == (9, 9)
    assert 1e-5 < found.deviation.largest < 0.05
    check_precision(found, forced=False)


def test_the_reference_is_eager_float32(fridge_folder: Path) -> None:
    half: Any = reference_model(load(fridge_folder, precision="bf16"))
    full: Any = load(fridge_folder)
    inputs = half.calibration()[0]
    assert all(torch.equal(one, other) for one, other in zip(half.outputs(inputs), full.outputs(inputs), strict=True))


def test_a_precision_that_is_too_small_is_refused_unless_forced() -> None:
    far = Agreement(5, 8, Deviation("probabilities", 0.2, 0.05))
    reason = r"5 of 8 pictures have the same labels, probabilities differ by up to 2\.0e-01 \(allowed 5e-02\)\. Use"
    with pytest.raises(ModelError, match=reason):
        check_precision(far, forced=False)
    check_precision(far, forced=True)
    check_precision(None, forced=False)
    assert not Deviation("probabilities", math.nan, 1.0).fits


def test_the_worst_batch_counts() -> None:
    batches = [Agreement(2, 2, Deviation("boxes", value, 1.0)) for value in (0.5, math.nan, 0.7)]
    assert math.isnan(merge(batches).deviation.largest)
    assert merge(batches[::2]) == Agreement(4, 4, Deviation("boxes", 0.7, 1.0))


def boxes(*found: tuple[float, float, int]) -> Detections:
    """Each box: its left edge, its score, its label."""
    left, scores, labels = (torch.tensor(column) for column in zip(*found, strict=True))
    edges = torch.stack([left, left, left + 0.2, left + 0.2], 1)
    return Detections(edges, scores, labels)


def test_boxes_are_compared_with_the_nearest_of_their_label(tmp_path: Path) -> None:
    folder = write_detector_folder(tmp_path / "model")
    model, half = load_detector(folder), load_detector(folder, precision="bf16")
    side = math.sqrt(model.pixels)
    expected = boxes((0.1, 0.9, 0), (0.5, 0.8, 1))
    near = boxes((0.501, 0.9, 1), (0.1, 0.8, 0))
    assert model.deviation([near], [expected]).largest == pytest.approx(0.001 * side, rel=1e-3)
    assert model.deviation([boxes((0.1, 0.9, 0))], [expected]).largest == math.inf
    assert model.deviation([boxes((0.1, 0.9, 0), (0.5, 0.8, 0))], [expected]).largest == math.inf
    unsure = boxes((0.1, 0.9, 0), (0.5, 0.8, 1), (0.7, 0.05, 1))
    assert model.deviation([unsure], [expected]).largest > 1
    assert half.deviation([unsure], [expected]).largest == 0
    nothing = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert model.deviation([nothing], [nothing]).largest == 0


def test_a_detector_is_compared_input_by_input(tmp_path: Path) -> None:
    half: Any = load_detector(write_detector_folder(tmp_path / "model"), precision="bf16")
    reference: Any = reference_model(half)
    found = compare(reference, reference, half.calibration()[0])
    assert (found.same, found.images, found.deviation.largest) == (2, 2, 0.0)


def test_check_tells_of_precision(fridge_folder: Path, tmp_path: Path) -> None:
    done = run_server("--model", fridge_folder, "--check", "--precision", "bf16", "--cache-folder", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "precision: bf16\n  9 of 9 pictures have the same labels, probabilities differ by up to" in done.stdout
