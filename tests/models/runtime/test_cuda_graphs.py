"""Recordings of batches: on a CPU with a stand-in that keeps memory as a GPU does, and on a GPU if there is one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models.classifier import batch_size
from models.loaded import load
from models.runtime.precision import FP32
from models.runtime.runtime import ComputeOptions, Graph, available
from models.runtimes.cuda_graphs import Recordings, Replay
from tests.support.folders.checkpoints import write_automl_folder


class StandIn:
    """Records as CUDA does: outputs stay in one place, and are computed of what is in the batch's memory by then."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, graph: Graph, batch: Tensor) -> Replay:
        self.sizes.append(len(batch))
        kept = [output.clone() for output in graph(batch)]

        def replay() -> list[Tensor]:
            for place, output in zip(kept, graph(batch), strict=True):
                place.copy_(output)
            return kept

        return replay


def sums(inputs: Tensor) -> list[Tensor]:
    return [inputs.float().sum(1), inputs.float().amax(1)]


def test_each_size_is_recorded_once() -> None:
    record = StandIn()
    recordings = Recordings(sums, torch.zeros(4, dtype=torch.uint8), record)
    for length in (1, 2, 8, 2, 1, 8, 4):
        inputs = torch.randint(0, 256, (length, 4), dtype=torch.uint8)
        for found, expected in zip(recordings(inputs), sums(inputs), strict=True):
            assert torch.equal(found, expected)
    assert record.sizes == [1, 2, 8, 4]


def test_a_gpu_sees_few_sizes_of_batches() -> None:
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    sizes = {1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 8: 8, 9: 16, 17: 32, 33: 48, 49: 64, 64: 64, 65: 96, 97: 128, 128: 128}
    for count, size in sizes.items():
        assert batch_size(count, gpu) == size
        assert batch_size(count, cpu) == count


def test_the_next_batch_leaves_outputs_alone() -> None:
    recordings = Recordings(sums, torch.zeros(4, dtype=torch.uint8), StandIn())
    first = recordings(torch.full((2, 4), 7, dtype=torch.uint8))
    recordings(torch.full((2, 4), 9, dtype=torch.uint8))
    assert first[0].tolist() == [28, 28]


def test_it_is_for_gpus_and_for_images_of_one_size(tmp_path: Path) -> None:
    runtime = available()["cuda_graphs"]
    assert runtime.unavailable_reason(ComputeOptions(torch.device("cpu"), FP32)) == "it computes on NVIDIA GPUs"
    assert runtime.unavailable_reason(ComputeOptions(torch.device("cuda"), FP32)) is None


class NothingFromPython(TorchFunctionMode):
    """Refuses what a GPU cannot record: tensors that are made of the values of Python."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        assert func not in (torch.tensor, torch.as_tensor), "copied from Python while it is recorded"
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2", "vits16r224"])
def test_a_network_can_be_recorded(tmp_path: Path, name: str) -> None:
    model: Any = load(write_automl_folder(tmp_path / "model", name=name, sizes=(256, 224)))
    graph, (batch, _) = model.graph, model.calibration()
    with torch.inference_mode(), NothingFromPython():
        graph(torch.stack(batch))


@pytest.mark.gpu
def test_a_recorded_network_says_the_same(tmp_path: Path) -> None:
    model: Any = load(write_automl_folder(tmp_path / "model", name="resnet18", sizes=(80, 64)), device="cuda")
    options = ComputeOptions(model.device, FP32)
    recorded = model.with_runtime("cuda_graphs", available()["cuda_graphs"].load(model.graph_source(), None, options))
    inputs, _ = model.calibration()
    for length in (1, 3, len(inputs), 1):
        expected, found = model.outputs(inputs[:length]), recorded.outputs(inputs[:length])
        assert recorded.deviation(found, expected).fits
