from typing import Any

import numpy as np
import pytest
import torch
from saliency.core import xrai as pair
from saliency.core.base import INPUT_OUTPUT_GRADIENTS

from explain.attribution import Attribution
from explain.regions.ranking import ranked
from explain.regions.segments import segments
from explain.request.parameters import ExplanationParameters
from explain.request.targets import fixed_targets, targets_above
from explain.run import explain
from models.images.preprocess import Statistics
from tests.support.contract import contract
from tests.support.explain_networks import attributions, difference, parameters_for, pixels, seeded_executor

TARGET = 2


def by_pair(fast: bool, steps: int, scale: float) -> tuple[Any, Any]:
    """Explain the image, its values multiplied by `scale`, with PAIR's library as its users wire it to a network."""
    network, statistics = seeded_executor().network, Statistics()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (statistics.mean, statistics.std))

    def gradients(images: Any, call_model_args: Any = None, expected_keys: Any = None) -> dict[str, Any]:
        x = (torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255 - mean) / std
        x.requires_grad_()
        outputs = network(x).softmax(1)[:, TARGET].sum()
        return {INPUT_OUTPUT_GRADIENTS: torch.autograd.grad(outputs, x)[0].permute(0, 2, 3, 1).numpy()}

    parameters = pair.XRAIParameters(steps=steps, algorithm="fast" if fast else "full", return_ig_attributions=True)
    image = pixels().numpy().astype(np.float32) * np.float32(scale)
    found = pair.XRAI().GetMaskWithDetails(image, gradients, batch_size=5, extra_parameters=parameters)
    return found.attribution_mask, np.mean(found.ig_attribution, axis=0)


def hosted(fast: bool) -> ExplanationParameters:
    """What the hosted original does, in fewer steps."""
    return parameters_for("xrai", compatibility="azureml", n_steps=6, xrai_fast=fast)


def levels(found: Attribution) -> int:
    return len(np.unique(found.values.numpy()))


@contract(
    "Explanations",
    "XRAI divides pixels by 255 twice, and points at the wrong places",
    "better",
    "it does not, unless `compatibility` is `azureml`",
)
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "full"])
def test_equals_the_hosted_original(fast: bool) -> None:
    # values in [0, 1] are divided by 255 once more on their way into the network
    expected, _ = by_pair(fast, 6, 1 / 255)
    (found,) = attributions(seeded_executor(), hosted(fast), TARGET)
    np.testing.assert_allclose(found.values.numpy(), expected, rtol=0, atol=2e-3 * np.abs(expected).max())
    assert (found.n_steps, found.delta, found.gap) == (6, None, None)
    assert found.notes == (
        "The network saw the picture divided by 255 twice, as the hosted original shows it: nearly black.",
    )


def test_the_same_gradients_give_the_same_bits() -> None:
    for fast in (True, False):
        expected, integrated = by_pair(fast, 6, 1)
        assert np.array_equal(ranked(integrated.max(-1), segments(pixels().numpy()), fast=fast), expected)


def test_regions_share_what_integrated_gradients_find() -> None:
    executor = seeded_executor()
    options: dict[str, Any] = {"n_steps": 5, "baseline": ("black", "white")}
    xrai = attributions(executor, parameters_for("xrai", **options), 0, TARGET)
    integrated = attributions(executor, parameters_for("integrated_gradients", **options), 0, TARGET)
    for found, path in zip(xrai, integrated, strict=True):
        loudest = path.values.amax(0)
        assert found.values.shape == loudest.shape
        assert float(found.values.sum()) == pytest.approx(float(loudest.sum()), rel=1e-4)
        assert levels(found) < 200
        assert (found.target, found.n_steps) == (path.target, 5)
        assert found.delta == pytest.approx(path.delta, abs=1e-5)
        assert found.gap == pytest.approx(path.gap, rel=1e-3)
        assert found.notes == ()


def test_by_default_eight_steps_from_black_and_eight_from_white() -> None:
    executor = seeded_executor()
    (found,) = attributions(executor, parameters_for(), TARGET)
    (spelt,) = attributions(executor, parameters_for("xrai", n_steps=8, baseline=("black", "white")), TARGET)
    assert found.n_steps == 8
    assert difference(found.values, spelt.values) < 1e-3
    assert found.gap == pytest.approx(spelt.gap, rel=1e-2)


def test_where_time_is_short_four_steps_are_an_answer() -> None:
    explanation = explain(
        seeded_executor(), pixels(), parameters_for(), fixed_targets(TARGET), lambda growth: growth == 1
    )
    (found,) = explanation.attributions
    assert found.n_steps == 4
    assert found.notes == ("The time allowed ended refinement at 4 steps.",)


def test_the_area_threshold_joins_the_rest() -> None:
    executor = seeded_executor()
    (all_ranked,) = attributions(executor, parameters_for("xrai", xrai_fast=False), TARGET)
    (part,) = attributions(executor, parameters_for("xrai", xrai_fast=False, area_threshold=0.1), TARGET)
    assert levels(part) < levels(all_ranked)


def test_labels_that_are_all_unlikely_need_no_explanation() -> None:
    assert explain(seeded_executor(), pixels(), parameters_for(), targets_above(1.0)).attributions == ()
    assert explain(seeded_executor(), pixels(), parameters_for(), fixed_targets()).attributions == ()
