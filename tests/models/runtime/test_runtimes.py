"""Every runtime beside eager: the same probabilities and boxes, for any batch and size, from files made once."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
import torch
from torch import nn

from models.detection.yolov5_adapter import YoloAdapter
from models.errors import ModelError
from models.loaded import LoadedModel, load
from models.runtime.contention import Contention
from models.runtime.conversion import convert_apart
from models.runtime.precision import FP32, PRECISIONS
from models.runtime.runtime import EAGER, ComputeOptions, GraphSource, available
from tests.support.folders.checkpoints import write_automl_folder
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import LIMITS, encoded, painted
from tests.support.seeded_yolov5 import seeded_yolov5

T = TypeVar("T")
CPU = torch.device("cpu")
OPTIONS = ComputeOptions(CPU, FP32, threads=2)
SIZES = [(320, 240), (150, 200), (60, 50), (333, 90)]


def converted(model: LoadedModel, name: str, into: Path) -> Any:
    runtime = available()[name]
    into.mkdir()
    runtime.convert(model.graph_source(), OPTIONS, into)
    return model.with_runtime(name, runtime.load(model.graph_source(), into, OPTIONS))


def test_runtimes_that_are_made_quickly_come_first() -> None:
    assert list(available()) == [EAGER, "cuda_graphs", "openvino", "compiled"]


@pytest.mark.parametrize("name", ["resnet18", "vits16r224"])
def test_probabilities_of_openvino_are_those_of_eager(tmp_path: Path, name: str) -> None:
    model: Any = load(write_automl_folder(tmp_path / "model", name=name, sizes=(80, 64)))
    by_openvino = converted(model, "openvino", tmp_path / "files")
    inputs, _ = model.calibration()
    for count in (1, 3, 4, 7, len(inputs)):  # all threads together, or each with a part of its own
        expected, found = model.outputs(inputs[:count]), by_openvino.outputs(inputs[:count])
        assert by_openvino.deviation(found, expected).fits
        for one, other in zip(found, expected, strict=True):
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))
    for count in (2, 4):
        first = by_openvino.outputs(inputs[:count])
        kept = [output.clone() for output in first]
        by_openvino.outputs(inputs[-count:])
        assert all(torch.equal(one, other) for one, other in zip(first, kept, strict=True)), (
            "the next batch changes nothing"
        )


@pytest.mark.parametrize("name", ["fasterrcnn_resnet18_fpn", "retinanet_resnet50_fpn"])
def test_boxes_of_openvino_are_those_of_eager(tmp_path: Path, name: str) -> None:
    model: Any = load(write_detector_folder(tmp_path / "model", name))
    by_openvino = converted(model, "openvino", tmp_path / "files")
    count = 0
    for seed, size in enumerate(SIZES):
        read = model.read(encoded(painted(seed, *size), "PNG"), LIMITS, model.settings({}))
        inputs = [one.data for one in read.inputs]
        expected, found = model.outputs(inputs * 2), by_openvino.outputs(inputs * 2)
        assert by_openvino.deviation(found, expected).fits, str(by_openvino.deviation(found, expected))
        count += len(expected[0].labels)
    assert count >= 5


def test_maps_of_yolov5_by_openvino_are_those_of_eager(tmp_path: Path) -> None:
    source = YoloAdapter().graph_source(seeded_yolov5(), FP32)
    openvino = available()["openvino"]
    openvino.convert(source, OPTIONS, tmp_path)
    graph, eager = openvino.load(source, tmp_path, OPTIONS), available()[EAGER].load(source, None, OPTIONS)
    for count, side in ((1, 128), (3, 96)):
        chance = torch.Generator().manual_seed(count)
        squares = torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=chance)
        for found, expected in zip(graph(squares), eager(squares), strict=True):
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_compiled_code_computes_the_same(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    source = GraphSource(network.eval(), torch.zeros(2, 3, 24, 32), free=(0,))
    compiled = available()["compiled"]
    compiled.convert(source, OPTIONS, tmp_path)
    graph, eager = compiled.load(source, tmp_path, OPTIONS), available()[EAGER].load(source, None, OPTIONS)
    for count, layout in itertools.product((1, 5), (torch.contiguous_format, torch.channels_last)):
        inputs = torch.randn((count, 3, 24, 32), generator=torch.Generator().manual_seed(1))
        (found,), (expected,) = graph(inputs.contiguous(memory_format=layout)), eager(inputs)
        assert found.shape == (count, 32)
        assert torch.allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match="pictures of one size only"):
        compiled.convert(GraphSource(network, source.example, free=(0, 2, 3)), OPTIONS, tmp_path)


class AlwaysContended(Contention):
    """Every batch meets others that compute on the same cores."""

    def run(self, work: float, together: Callable[[], T], apart: Callable[[], T]) -> T:
        return apart()


def test_beside_busy_neighbours_layers_take_the_place_of_compiled_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = GraphSource(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten()).eval(), torch.zeros(2, 3, 24, 32), free=(0,))
    compiled, inputs = available()["compiled"], torch.randn(5, 3, 24, 32)
    compiled.convert(source, OPTIONS, tmp_path)
    (expected,) = compiled.load(source, tmp_path, OPTIONS)(inputs)
    monkeypatch.setattr("models.runtimes.compiled.Contention", AlwaysContended)
    with torch.inference_mode():
        graph = compiled.load(source, tmp_path, OPTIONS)
        with patch.object(nn.Flatten, "forward", autospec=True, side_effect=lambda _, batch: batch.flatten(1)) as layer:
            (found,) = graph(inputs)
    assert sorted(len(call.args[1]) for call in layer.call_args_list) == [2, 3], "each part has a thread"
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_conversion_in_a_process_of_its_own_says_why_it_failed(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ModelError: The model folder .* does not exist"):
        convert_apart(tmp_path / "nothing", "openvino", "fp32", "cpu", tmp_path)


def test_what_a_machine_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available()["openvino"].unavailable_reason(OPTIONS) is None
    assert "CPU" in str(available()["openvino"].unavailable_reason(ComputeOptions(torch.device("cuda"), FP32)))
    assert "fp16" in str(available()["openvino"].unavailable_reason(ComputeOptions(CPU, PRECISIONS["fp16"])))
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler" in str(available()["compiled"].unavailable_reason(OPTIONS))
