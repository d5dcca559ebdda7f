"""make bench-explain, second part: what explanations cost beside the recipes of the hosted original, in one run.

The recipes are PAIR's `saliency` for XRAI (2x50 steps in batches of 5, softmax gradients) and captum for integrated
gradients (5 noisy copies of 50 steps, batches of 5), connected to the network as their users do it. Our explanations
run before and after each recipe, and ratios are taken within a round, so a machine whose speed drifts favours neither.

- `ours`: our defaults. `same settings`: ours at the settings of the recipe
- `whole / passes`: the time of an explanation as a multiple of what its forward and backward passes take alone, each
  row as fast as in a batch; `/ forwards`: as a multiple of as many forward passes
- `regions`: the part of XRAI that needs no network, on one core
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients, NoiseTunnel
from PIL import Image
from saliency.core import xrai as pair
from saliency.core.base import INPUT_OUTPUT_GRADIENTS
from torch import Tensor, nn

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from examples.fridge.scene import draw_scene
from explain.network.executor import Executor
from explain.network.work_items import PathGradients
from explain.regions.ranking import warm_up
from explain.request.parameters import ExplanationParameters, read_parameters
from explain.request.targets import fixed_targets
from explain.run import begin
from models.architecture.catalog import classifier_architecture
from models.images.preprocess import Preprocess, Statistics
from server.engine.explaining.slice_sizes import SliceSizes, timings
from tests.support.folders.checkpoints import seeded_network

SIDE = 224
TARGET = 2
ALGORITHMS = ("xrai", "integrated_gradients")
_HOSTED_STEPS = 50
_HOSTED_BATCH = 5
_LARGEST = 16  # rows in a batch of ours


@dataclass(frozen=True, slots=True)
class Cost:
    """One of our explanations: seconds in all and outside the network, rows of each kind, and steps of a path."""

    seconds: float
    regions: float
    scores: int
    gradients: int
    steps: int


@dataclass(frozen=True, slots=True)
class SpeedRound:
    """One round of one algorithm, in seconds."""

    ours: float
    recipe: float
    same_settings: float
    passes: float
    forwards: float
    regions: float

    @property
    def faster(self) -> float:
        """The time of the recipe as a multiple of that of our default."""
        return self.recipe / self.ours

    @property
    def faster_at_same_settings(self) -> float:
        """The time of the recipe as a multiple of ours at its settings."""
        return self.recipe / self.same_settings

    @property
    def overhead(self) -> float:
        """The time of the whole explanation as a multiple of that of its passes."""
        return self.ours / self.passes

    @property
    def over_forwards(self) -> float:
        """The time of the whole explanation as a multiple of that of as many forward passes."""
        return self.ours / self.forwards


class Bench:
    """One network twice: as the server keeps it, and as users of the recipes load it."""

    def __init__(self, name: str) -> None:
        network = seeded_network(name, 4, SIDE)
        self._recipe_network = copy.deepcopy(network)
        self._network = network.requires_grad_(False).to(memory_format=torch.channels_last)
        preprocess = Preprocess(SIDE, SIDE)
        self._executor = Executor(
            self._network, torch.device("cpu"), preprocess.inputs, classifier_architecture(name).cam_layer
        )
        self._image = preprocess.cropped(Image.fromarray(draw_scene(7, size=(SIDE, SIDE), count=1).image))
        self._inputs = preprocess.inputs(self._image[None])
        self.sizes = self._tuned()

    def _tuned(self) -> SliceSizes:
        """Choose batch sizes as an engine does."""
        _seconds(lambda: self.forward(1))  # the first pass allocates memory
        gradients, others = (timings(run, _LARGEST, lambda step: step()) for run in (self.gradient, self.forward))
        return SliceSizes.best(gradients, others, others)

    def explain(self, parameters: ExplanationParameters) -> Cost:
        """Explain the image as explain.run does, and count rows and seconds."""
        started, regions = time.perf_counter(), 0.0
        scores = gradients = 0
        run = begin(self._executor, self._image, parameters, fixed_targets(TARGET))
        while run.explanation is None:
            for task in run.cpu_tasks():
                before = time.perf_counter()
                task.run()
                regions += time.perf_counter() - before
            while run.key is not None:
                size = self.sizes.of(run.key)
                slices = run.take(size, run.key)
                count = sum(one.count for one in slices)
                if isinstance(slices[0].item, PathGradients):
                    gradients += count
                else:
                    scores += count
                self._executor.run(slices, size)
            run.resume()
        steps = run.explanation.attributions[0].n_steps or 0
        return Cost(time.perf_counter() - started, regions, scores, gradients, steps)

    def forward(self, size: int) -> float:
        """Return the seconds of a forward pass per row of a batch of `size`."""
        batch = self._rows(size)
        with torch.no_grad():
            return _seconds(lambda: self._network(batch)) / size

    def gradient(self, size: int) -> float:
        """Return the seconds of a forward pass and the gradient at its input, per row of a batch of `size`."""
        batch = self._rows(size).requires_grad_()
        return _seconds(lambda: torch.autograd.grad(self._network(batch)[:, TARGET].sum(), batch)) / size

    def recipe(self, algorithm: str) -> float:
        """Return the seconds of the hosted original's recipe."""
        return _seconds(self._by_pair if algorithm == "xrai" else self._by_captum)

    def _rows(self, size: int) -> Tensor:
        return self._inputs.repeat(size, 1, 1, 1).contiguous(memory_format=torch.channels_last)

    def _by_pair(self) -> object:
        statistics_ = Statistics()
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (statistics_.mean, statistics_.std))

        def gradients(images: Any, call_model_args: Any = None, expected_keys: Any = None) -> dict[str, Any]:
            inputs = (torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255 - mean) / std
            inputs.requires_grad_()
            chosen = self._recipe_network(inputs).softmax(1)[:, TARGET].sum()
            return {INPUT_OUTPUT_GRADIENTS: torch.autograd.grad(chosen, inputs)[0].permute(0, 2, 3, 1).numpy()}

        # Pixels in [0, 1], which the gradients above divide by 255 once more
        image = self._image.numpy().astype(np.float32) / 255
        parameters = pair.XRAIParameters(steps=_HOSTED_STEPS, algorithm="fast")
        found: object = pair.XRAI().GetMask(image, gradients, batch_size=_HOSTED_BATCH, extra_parameters=parameters)
        return found

    def _by_captum(self) -> object:
        class Softmax(nn.Module):
            def forward(_, inputs: Tensor) -> Tensor:  # noqa: N805 - the bench is `self` here
                logits: Tensor = self._recipe_network(inputs)
                return logits.softmax(1)

        tunnel = NoiseTunnel(IntegratedGradients(Softmax()))
        found: object = tunnel.attribute(
            self._inputs.contiguous(),
            nt_samples=5,
            nt_type="smoothgrad",
            stdevs=0.2,
            target=TARGET,
            n_steps=_HOSTED_STEPS,
            method="riemann_middle",
            internal_batch_size=_HOSTED_BATCH,
        )
        return found


def measure_round(bench: Bench, algorithm: str) -> tuple[SpeedRound, Mapping[str, Cost]]:
    """Measure one algorithm once: ours, the recipe, and the passes alone."""
    default = read_parameters({"xai_algorithm": algorithm})
    hosted = read_parameters({"xai_algorithm": algorithm, "compatibility": "azureml"})
    before = bench.explain(default)
    size = bench.sizes.gradients
    forward, gradient = bench.forward(size), bench.gradient(size)
    recipe = bench.recipe(algorithm)
    same = bench.explain(hosted)
    after = bench.explain(default)
    forward, gradient = (forward + bench.forward(size)) / 2, (gradient + bench.gradient(size)) / 2
    result = SpeedRound(
        ours=(before.seconds + after.seconds) / 2,
        recipe=recipe,
        same_settings=same.seconds,
        passes=before.scores * forward + before.gradients * gradient,
        forwards=(before.scores + 2 * before.gradients) * forward,
        regions=min(before.regions, after.regions, same.regions),
    )
    return result, {"default": after, "same settings": same}


def bench_model(name: str, rounds: int) -> dict[str, Any]:
    """Measure one architecture and print its rows."""
    bench = Bench(name)
    sizes = bench.sizes
    print(f"\n{name} at {SIDE} pixels, batches of {sizes.gradients} gradients or {sizes.others} others")
    bench.explain(read_parameters({"xai_algorithm": "xrai", "n_steps": 2}))  # the first pass allocates memory
    result: dict[str, Any] = {"model": name, "batches": asdict(sizes)}
    for algorithm in ALGORITHMS:
        measured = [measure_round(bench, algorithm) for _ in range(rounds)]
        speeds, costs = [one for one, _ in measured], measured[-1][1]
        _print(algorithm, speeds, costs)
        result[algorithm] = {
            "rounds": [asdict(one) for one in speeds],
            "rows": {name: asdict(cost) for name, cost in costs.items()},
            "faster": statistics.median(one.faster for one in speeds),
            "faster_at_same_settings": statistics.median(one.faster_at_same_settings for one in speeds),
            "over_passes": statistics.median(one.overhead for one in speeds),
            "over_forwards": statistics.median(one.over_forwards for one in speeds),
        }
    return result


def _print(algorithm: str, rounds: Sequence[SpeedRound], costs: Mapping[str, Cost]) -> None:
    def spread(value: Callable[[SpeedRound], float], digits: int) -> str:
        values = sorted(map(value, rounds))
        middle = f"{statistics.median(values):.{digits}f}"
        return f"{middle} ({values[0]:.{digits}f}-{values[-1]:.{digits}f})" if len(values) > 1 else middle

    default, same = costs["default"], costs["same settings"]
    print(
        f"  {algorithm}: ours {spread(lambda one: one.ours, 2)} s with {default.gradients} gradients, "
        f"the recipe {spread(lambda one: one.recipe, 2)} s, "
        f"same settings {spread(lambda one: one.same_settings, 2)} s with {same.gradients}"
    )
    print(
        f"    ours {spread(lambda one: one.faster, 1)}x faster, at the same settings "
        f"{spread(lambda one: one.faster_at_same_settings, 2)}x; whole / passes {spread(lambda one: one.overhead, 3)}, "
        f"/ forwards {spread(lambda one: one.over_forwards, 3)}"
    )
    if algorithm == "xrai":
        print(f"    regions {spread(lambda one: 1000 * one.regions, 0)} ms")


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    """Measure the models named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain_speed", description=__doc__.split("\n")[0])
    parser.add_argument("--models", default="resnet18,resnet50,vitb16r224", help="architectures, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="resnet18 alone, one round")
    options = parser.parse_args()
    models, rounds = ("resnet18", 1) if options.quick else (options.models, options.rounds)
    machine = describe_machine()
    print(json.dumps(machine))
    warm_up()
    measured = [bench_model(name, rounds) for name in models.split(",")]
    write_report("explain-speed", {"machine": machine, "threads": torch.get_num_threads(), "models": measured})


if __name__ == "__main__":
    main()
