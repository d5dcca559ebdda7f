"""Recordings of batches: on a CPU with a stand-in that keeps memory as a GPU does, and on a GPU if there is one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.loaded import load
from models.precision import FP32
from models.runtime import Graph, Terms, available
from models.runtimes.cuda_graphs import Recordings, Replay
from tests.checkpoints import write_automl_folder


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


def test_batches_of_any_length_share_few_recordings() -> None:
    record = StandIn()
    recordings = Recordings(sums, torch.zeros(4, dtype=torch.uint8), record)
    for length in (1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 33, 48, 5, 1):
        inputs = torch.randint(0, 256, (length, 4), dtype=torch.uint8)
        for found, expected in zip(recordings(inputs), sums(inputs), strict=True):
            assert torch.equal(found, expected)
    assert record.sizes == [1, 2, 3, 6, 8, 12, 48]


def test_the_next_batch_leaves_outputs_alone() -> None:
    recordings = Recordings(sums, torch.zeros(4, dtype=torch.uint8), StandIn())
    first = recordings(torch.full((2, 4), 7, dtype=torch.uint8))
    recordings(torch.full((2, 4), 9, dtype=torch.uint8))
    assert first[0].tolist() == [28, 28]


def test_it_is_for_gpus_and_for_pictures_of_one_size(tmp_path: Path) -> None:
    runtime = available()["cuda_graphs"]
    assert runtime.obstacle(Terms(torch.device("cpu"), FP32)) == "it computes on NVIDIA GPUs"
    assert runtime.obstacle(Terms(torch.device("cuda"), FP32)) is None


@pytest.mark.gpu
def test_a_recorded_network_says_the_same(tmp_path: Path) -> None:
    model: Any = load(write_automl_folder(tmp_path / "model", name="resnet18", sizes=(80, 64)), device="cuda")
    terms = Terms(model.device, FP32)
    rival = model.computed_by("cuda_graphs", available()["cuda_graphs"].load(model.work(), None, terms))
    views, _ = model.calibration()
    for length in (1, 3, len(views), 1):
        expected, found = model.outputs(views[:length]), rival.outputs(views[:length])
        assert rival.deviation(found, expected).fits
