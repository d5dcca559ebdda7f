"""Explanations in progress: batches, threads, their cost, and that they leave no trace on a network."""

import copy
import pathlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from explain.attribution import Explanation
from explain.catalog import algorithm, algorithm_names
from explain.errors import ExplanationError
from explain.network.executor import Executor
from explain.network.work_items import ForwardPass, PathGradients, ScoredRows, WorkSlice
from explain.request.parameters import ExplanationParameters
from explain.request.targets import fixed_targets, predicted_target, targets_above
from explain.run import begin, explain
from models.errors import ModelError
from models.loaded import load_classifier
from tests.support.explain_networks import (
    SIDE,
    attributions,
    difference,
    executor_of,
    inputs,
    parameters_for,
    pixels,
    seeded_executor,
    together,
)
from tests.support.folders.checkpoints import write_automl_folder

PARAMETERS = [
    parameters_for("xrai", n_steps=3),
    parameters_for("integrated_gradients", n_steps=4),
    parameters_for("integrated_gradients", max_n_steps=24, baseline=("blur",)),
    parameters_for("integrated_gradients", n_steps=2, noise_samples=2),
    parameters_for("gradcam"),
    parameters_for("guided_gradcam", output="probability"),
    parameters_for("guided_backprop"),
    parameters_for("guided_backprop", noise_samples=2),
    parameters_for("layercam"),
    parameters_for("rise", n_masks=12, baseline=("black", "blur")),
]


def close(found: Explanation, expected: Explanation) -> None:
    assert difference(found.logits, expected.logits) < 1e-5
    assert [one.target for one in found.attributions] == [one.target for one in expected.attributions]
    for one, other in zip(found.attributions, expected.attributions, strict=True):
        if other.values.any():
            # in a batch of another size sums are rounded differently, which can turn a ReLU or a max pool around
            assert difference(one.values, other.values) < 2e-4


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: parameters.xai_algorithm)
def test_one_at_a_time_or_in_batches_is_the_same(parameters: ExplanationParameters) -> None:
    executor = seeded_executor()
    alone = explain(executor, pixels(), parameters, fixed_targets(0, 2), batch_size=1)
    close(explain(executor, pixels(), parameters, fixed_targets(0, 2), batch_size=7), alone)
    assert difference(alone.logits[None], executor.network(inputs())) < 1e-5


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """The number of threads that PyTorch computes with; with two, each computes rows of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_rows_of_several_explanations_share_batches(threads: int) -> None:
    executor, size = seeded_executor(), 5 if threads == 1 else 4
    jobs = [(seed, parameters) for seed, parameters in enumerate([*PARAMETERS, *PARAMETERS])]
    runs = [
        begin(executor, pixels(seed), parameters, fixed_targets(seed % 4, (seed + 1) % 4)) for seed, parameters in jobs
    ]
    mixed = together(executor, runs, size)
    assert mixed > 5
    for (seed, parameters), run in zip(jobs, runs, strict=True):
        assert run.explanation is not None
        alone = explain(executor, pixels(seed), parameters, fixed_targets(seed % 4, (seed + 1) % 4), batch_size=size)
        for one, other in zip(run.explanation.attributions, alone.attributions, strict=True):
            assert torch.equal(one.values, other.values), "the same bits as alone in batches of the same size"
            assert (one.n_steps, one.gap, one.delta) == (other.n_steps, other.gap, other.delta)


def test_threads_do_not_disturb_each_other() -> None:
    executor = seeded_executor()
    jobs = [(seed, parameters) for seed, parameters in enumerate(PARAMETERS)]
    expected = [explain(executor, pixels(seed), parameters, fixed_targets(1)) for seed, parameters in jobs]
    plain = executor.network(inputs())

    def work(job: tuple[int, ExplanationParameters]) -> tuple[Explanation, Tensor]:
        with torch.inference_mode():  # scoring goes on meanwhile
            scores = executor.network(inputs())
        return explain(executor, pixels(job[0]), job[1], fixed_targets(1)), scores

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, jobs * 2))
    for (one, scores), other in zip(found, expected * 2, strict=True):
        assert difference(one.attributions[0].values, other.attributions[0].values) < 1e-6
        assert difference(scores, plain) < 1e-6


def trace(network: nn.Module) -> list[Any]:
    """Everything about a network that an explanation could leave behind."""
    found: list[Any] = []
    for name, module in network.named_modules():
        state = {key: value for key, value in module.__dict__.items() if not isinstance(value, Tensor)}
        found.append((name, id(module), type(module), sorted(state), module.training))
        found += [len(value) for key, value in state.items() if key.endswith("hooks")]
        found += [id(child) for child in module.children()]
    found += [(id(p), p.requires_grad, p.grad, p._version) for p in (*network.parameters(), *network.buffers())]
    return found


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2", "vits16r224"])
def test_the_network_is_left_as_it_was(name: str) -> None:
    executor = seeded_executor(name)
    before = trace(executor.network)
    suited = [one for one in PARAMETERS if executor.has(algorithm(one.algorithm).needs)]
    for parameters in suited:
        run = begin(executor, pixels(), parameters, fixed_targets(0, 1))
        executor.run(run.take(1, run.key), 1)
        assert trace(executor.network) == before, "in the middle"
        attributions(executor, parameters, 0, 1)
        assert trace(executor.network) == before
    assert torch.is_grad_enabled()


class Meter(nn.Module):
    """Counts the images that pass it on their way forward, and those whose gradients pass it on their way back."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def forward(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        if x.requires_grad:
            x = x * 1
            x.register_hook(self._back)  # type: ignore[no-untyped-call]
        return x

    def _back(self, gradients: Tensor) -> None:
        self.rows += int(gradients.flatten(1).any(1).sum())


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: parameters.xai_algorithm)
@pytest.mark.parametrize("targets", [(1,), (0, 3)], ids=str)
def test_the_cost_is_what_the_algorithm_says(parameters: ExplanationParameters, targets: tuple[int, ...]) -> None:
    network, meter = copy.deepcopy(seeded_executor().network), Meter()
    network.fc = nn.Sequential(network.get_submodule("fc"), meter)
    attributions(executor_of(network, cam_layer=seeded_executor().cam_layer), parameters, *targets, batch_size=1)
    passes = algorithm(parameters.algorithm).passes(parameters, len(targets))
    refined = parameters.xai_algorithm == "integrated_gradients" and parameters.n_steps == "auto"
    assert passes.most / 2 < meter.rows <= passes.most if refined else meter.rows == passes.most
    assert passes.least <= meter.rows


def test_predictions_come_with_the_explanation(tmp_path: pathlib.Path) -> None:
    model = load_classifier(write_automl_folder(tmp_path, sizes=(80, SIDE), multilabel=True))
    executor = Executor.for_model(model)
    found = explain(executor, pixels(), parameters_for("gradcam"), predicted_target)
    assert difference(found.logits, model.outputs([pixels()])[0]) < 1e-5
    assert [one.target for one in found.attributions] == [int(found.logits.argmax())]
    above_half = explain(executor, pixels(), parameters_for("gradcam"), targets_above(0.5))
    assert [one.target for one in above_half.attributions] == (found.logits > 0).nonzero().flatten().tolist()

    # each label has a probability of its own, but softmax can be had
    gradients = {
        output: attributions(executor, parameters_for("guided_backprop", output=output), 1)[0].values
        for output in ("logit", "probability", "softmax")
    }
    probability = found.logits.sigmoid()[1]
    assert difference(gradients["probability"], gradients["logit"] * probability * (1 - probability)) < 1e-4
    assert difference(gradients["softmax"], gradients["probability"]) > 0.01


@pytest.mark.parametrize("target", [-1, 4])
@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: parameters.xai_algorithm)
def test_targets_that_do_not_exist_are_named(parameters: ExplanationParameters, target: int) -> None:
    with pytest.raises(ExplanationError, match=f"target {target} is no class.*0 to 3") as caught:
        attributions(seeded_executor(), parameters, target)
    assert caught.value.code == "target_unknown"


@pytest.mark.parametrize("name", ["gradcam", "guided_backprop", "layercam"])
def test_a_target_that_does_not_exist_is_no_concern_of_others(name: str) -> None:
    executor = seeded_executor()
    good, bad = (begin(executor, pixels(), parameters_for(name), fixed_targets(target)) for target in (3, 4))
    executor.run([*good.take(1, good.key), *bad.take(1, bad.key)], 2)
    with pytest.raises(ExplanationError, match="target 4 is no class"):
        bad.resume()
    good.resume()
    assert good.explanation is not None
    close(good.explanation, explain(executor, pixels(), parameters_for(name), fixed_targets(3)))


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: parameters.xai_algorithm)
def test_a_batch_that_failed_can_be_run_again_in_pieces(
    parameters: ExplanationParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = seeded_executor()
    run = begin(executor, pixels(), parameters, fixed_targets(1, 2))
    while run.explanation is None:
        for cpu_task in run.cpu_tasks():
            cpu_task.run()
        while run.key:
            slices = run.take(3, run.key)
            fail_once(executor, slices, monkeypatch)
            for one in slices:
                for row in range(one.start, one.stop):
                    executor.run([WorkSlice(one.item, row, row + 1)], 1)
        run.resume()
    close(run.explanation, explain(executor, pixels(), parameters, fixed_targets(1, 2)))


def fail_once(executor: Executor, slices: list[WorkSlice], monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*args: Any, **options: Any) -> Any:
        found.append(original(*args, **options))
        if len(found) > 1 or isinstance(slices[0].item, PathGradients):
            raise torch.OutOfMemoryError
        return found[-1]

    found: list[Any] = []
    original = torch.autograd.grad
    if isinstance(slices[0].item, (ForwardPass, ScoredRows)):
        return
    with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
        patch.setattr(torch.autograd, "grad", out_of_memory)
        executor.run(slices, len(slices))


def test_unknown_algorithms_are_named() -> None:
    assert {"gradcam", "xrai", "odam"} < set(algorithm_names())
    assert "odam" not in algorithm_names("classifier")
    with pytest.raises(ExplanationError, match=r"'grad_cam'. Known: attention, .*Did you mean 'gradcam'") as caught:
        algorithm("grad_cam")
    assert caught.value.code == "algorithm_unknown"


@pytest.mark.parametrize("name", [name for name in algorithm_names("classifier") if name != "attention"])
def test_a_network_that_computes_no_numbers_is_an_error(name: str) -> None:
    network = copy.deepcopy(seeded_executor().network)
    network.get_parameter("layer4.1.conv1.weight").fill_(torch.nan)
    with pytest.raises(ModelError, match="gradients of the network are not finite"):
        attributions(executor_of(network), parameters_for(name), 0)
