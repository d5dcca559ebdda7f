from dataclasses import replace

import pytest
import torch
from captum.attr import IntegratedGradients

from explain.integration.noise import noisy_copies
from explain.request.parameters import ExplanationParameters
from explain.request.targets import fixed_targets
from explain.run import explain
from tests.support.explain_networks import (
    Linear,
    Power,
    attributions,
    difference,
    executor_of,
    inputs,
    parameters_for,
    pixels,
    seeded_executor,
)

RULES = ("riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre")


def integrated(n_steps: int, **parameters: object) -> ExplanationParameters:
    return parameters_for("integrated_gradients", n_steps=n_steps, **parameters)


@pytest.mark.parametrize("rule", RULES)
def test_equals_captum_with_every_rule(rule: str) -> None:
    executor = seeded_executor()
    (found,) = attributions(executor, integrated(6, approximation_method=rule, baseline=("mean",)), 2)
    expected = IntegratedGradients(executor.network).attribute(inputs(), target=2, n_steps=6, method=rule)
    assert difference(found.values, expected[0]) < 1e-5
    assert found.n_steps == 6


def test_delta_is_captums_convergence_delta() -> None:
    executor = seeded_executor()
    (found,) = attributions(executor, integrated(8, baseline=("white",)), 1)
    white = executor.normalise(torch.full_like(pixels(), 255)[None])
    expected, delta = IntegratedGradients(executor.network).attribute(
        inputs(), white, target=1, n_steps=8, method="riemann_middle", return_convergence_delta=True
    )
    assert difference(found.values, expected[0]) < 1e-5
    assert found.delta == pytest.approx(float(delta), abs=1e-4)


@pytest.mark.parametrize("softmax", ["probability", "softmax"])
def test_probabilities_can_be_explained(softmax: str) -> None:
    executor = seeded_executor()
    (found,) = attributions(executor, integrated(4, baseline=("mean",), output=softmax), 3)
    expected = IntegratedGradients(lambda x: executor.network(x).softmax(1)).attribute(
        inputs(), target=3, n_steps=4, method="riemann_middle"
    )
    assert difference(found.values, expected[0]) < 1e-5


def test_a_linear_network_is_explained_exactly() -> None:
    network = Linear()
    for name, value in (("black", 0.0), ("white", 255.0)):
        executor = executor_of(network)
        (found,) = attributions(executor, integrated(2, baseline=(name,)), 1)
        baseline = executor.normalise(torch.full((1, 64, 64, 3), value))
        assert difference(found.values, (network.weight[1] * (inputs() - baseline))[0]) < 1e-6
        assert found.gap is not None
        assert found.gap < 1e-5


def test_baselines_and_noise_are_averaged() -> None:
    executor = executor_of(Linear())
    each = [attributions(executor, integrated(2, baseline=(name,)), 0)[0] for name in ("black", "white")]
    (both,) = attributions(executor, integrated(2, baseline=("black", "white")), 0)
    assert difference(both.values, torch.stack([one.values for one in each]).mean(0)) < 1e-6

    parameters = integrated(2, baseline=("mean",), noise_samples=3, noise_std=0.5)
    (found,) = attributions(executor, parameters, 0)
    copies = torch.stack(noisy_copies(inputs()[0], parameters))
    assert len(copies) == 3
    assert (copies - inputs()).std() == pytest.approx(0.5, abs=0.01)
    assert difference(found.values, (executor.network.get_parameter("weight")[0] * copies).mean(0)) < 1e-5
    assert torch.equal(found.values, attributions(executor, parameters, 0)[0].values), "the same seed, the same noise"


def test_auto_stops_when_complete_and_reuses_its_steps() -> None:
    executor = executor_of(Power())
    network = executor.network
    calls: list[int] = []
    network.forward = lambda x: calls.append(len(x)) or Power.forward(network, x)  # type: ignore
    found = attributions(executor, parameters_for("integrated_gradients", baseline=("black",)), 0, 1, 5, batch_size=1)
    assert [one.n_steps for one in found] == [8, 8, 12]
    assert sum(calls) == 2 + 8 + 8 + 12
    for degree, one in zip((1, 2, 6), found, strict=True):
        assert one.gap is not None
        assert one.gap < 0.01
        finest = attributions(executor, integrated(200, baseline=("black",)), degree - 1)
        assert difference(one.values, finest[0].values) < 0.01


def test_auto_keeps_to_its_budget_and_says_what_is_missing() -> None:
    parameters = parameters_for("integrated_gradients", max_n_steps=9)
    (found,) = attributions(seeded_executor(), parameters, 0)
    assert found.n_steps == 8, "which a refined subinterval would exceed, by two steps each"
    assert found.gap is not None
    assert found.gap > 0.05
    assert found.notes == (f"The attributions miss {found.gap:.0%} of the output's change. Use more steps.",)


def test_targets_of_one_image_share_batches() -> None:
    executor = seeded_executor()
    together = attributions(executor, integrated(3), 0, 2, 3, batch_size=4)
    for one in together:
        (alone,) = attributions(executor, integrated(3), one.target, batch_size=9)
        assert difference(one.values, alone.values) < 1e-5
    assert [one.target for one in together] == [0, 2, 3]


def test_constant_baselines_are_scored_once_for_all_images() -> None:
    executor = executor_of(Power())
    network = executor.network
    calls: list[int] = []
    network.forward = lambda x: calls.append(len(x)) or Power.forward(network, x)  # type: ignore
    for names, again in ((("black",), 0), (("mean", "white"), 0), (("blur",), 1), (("noise", "image_min"), 2)):
        executor.cache.clear()
        for seed in (5, 6):
            calls.clear()
            attributions(executor, integrated(2, baseline=names), 0, seed=seed, batch_size=1)
        assert sum(calls) == 1 + again + 2 * len(names)


def test_networks_do_not_share_a_cache() -> None:
    executor = executor_of(Power())
    attributions(executor, integrated(2, baseline=("black",)), 0)
    assert executor.cache
    assert not replace(executor, network=Linear()).cache


def test_an_image_may_have_no_target() -> None:
    executor = seeded_executor()
    found = explain(executor, pixels(), integrated(3), fixed_targets())
    assert found.attributions == ()
    assert difference(found.logits[None], executor.network(inputs())) < 1e-5


def test_a_note_says_that_time_ended_refinement() -> None:
    parameters = parameters_for("integrated_gradients")
    (found,) = explain(seeded_executor(), pixels(), parameters, fixed_targets(0), lambda growth: True).attributions
    assert found.n_steps == 8
    assert found.notes[0] == "The time allowed ended refinement at 8 steps."
