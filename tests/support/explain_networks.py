"""What tests of explanations share: executors of seeded and analytic networks, and a measure of difference."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from explain.attribution import Attribution
from explain.network.executor import Executor
from explain.request.parameters import ExplanationParameters, read_parameters
from explain.request.targets import fixed_targets
from explain.run import ExplanationRun, explain
from models.architecture.attention_grid import no_attention
from models.architecture.cam_layer import last_convolution
from models.architecture.catalog import classifier_architecture
from models.images.preprocess import Preprocess
from tests.support.folders.checkpoints import seeded_network
from tests.support.images import painted

SIDE = 64


@cache
def seeded_executor(name: str = "resnet18", side: int = SIDE) -> Executor:
    """The executor of a seeded network of four classes. All tests share it: one that changes it makes others fail."""
    architecture = classifier_architecture(name)
    return executor_of(seeded_network(name, 4, side), side, architecture.cam_layer, architecture.attention)


def executor_of(
    network: nn.Module, side: int = SIDE, cam_layer: Any = last_convolution, attention: Any = no_attention
) -> Executor:
    """The executor of any network, prepared as Classifier prepares it."""
    network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return Executor(network, torch.device("cpu"), Preprocess(side, side).inputs, cam_layer, attention=attention)


def pixels(seed: int = 5, side: int = SIDE) -> Tensor:
    """An image, uint8 [side, side, 3]."""
    return torch.from_numpy(painted(seed, side, side))


def inputs(seed: int = 5, side: int = SIDE) -> Tensor:
    """The same image as a batch of one, float32 [1, 3, side, side]."""
    return Preprocess(side, side).inputs(pixels(seed, side)[None])


def parameters_for(algorithm: str = "xrai", **keys: Any) -> ExplanationParameters:
    """The parameters of a request for this algorithm, with these other keys."""
    return read_parameters({"xai_algorithm": algorithm} | keys)


def attributions(
    executor: Executor, parameters: ExplanationParameters, *targets: int, seed: int = 5, **options: Any
) -> tuple[Attribution, ...]:
    """Explain the image `seed` for these targets."""
    return explain(executor, pixels(seed), parameters, fixed_targets(*targets), **options).attributions


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected value."""
    assert found.shape == expected.shape
    return float((found - expected.detach()).abs().max() / expected.detach().abs().max())


def together(executor: Executor, runs: list[ExplanationRun], size: int) -> int:
    """Run all explanations as an engine would, and count the batches that held rows of more than one."""
    mixed = 0
    while unfinished := [run for run in runs if run.explanation is None]:
        for run in unfinished:
            for cpu_task in run.cpu_tasks():
                if not cpu_task.done:
                    cpu_task.run()
        key = next((run.key for run in unfinished if run.key), None)
        batch: list[Any] = []
        owners = 0
        for run in unfinished:
            taken = run.take(size - sum(one.count for one in batch), key)
            owners += bool(taken)
            batch += taken
        if batch:
            executor.run(batch, size)
            mixed += owners > 1
        for run in unfinished:
            if run.ready:
                run.resume()
    return mixed


class Linear(nn.Module):
    """Logits that are a weighted sum of the inputs, plus a bias."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3, 3, side, side, generator=generator) / side)
        self.bias = nn.Parameter(torch.randn(3, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("kchw,nchw->nk", self.weight, x) + self.bias


class Power(nn.Module):
    """Logits `mean(x) ** degree` for the degrees 1 to 6, whose integrals everyone knows."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3))
        return torch.stack([mean**degree for degree in range(1, 7)], dim=1)
