"""captum's perturbation methods equal captum on pixels, share batches, and end early where time does."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression, SkLearnRidge
from captum.attr import FeatureAblation, KernelShap, Lime, Occlusion, ShapleyValueSampling
from captum.attr._core.lime import get_exp_kernel_similarity_function
from torch import Tensor

from explain.attribution import Attribution, Explanation
from explain.catalog import algorithm
from explain.perturbation.fills import fill
from explain.perturbation.least_squares import LeastSquares
from explain.perturbation.places import grid, superpixels
from explain.request.targets import fixed_targets
from explain.run import explain
from models.images.preprocess import Preprocess
from tests.support.explain_networks import SIDE, difference, parameters_for, pixels, seeded_executor

SEED = 3
METHODS = ("occlusion", "feature_ablation", "shapley_value_sampling", "kernel_shap", "lime")
SHORT = {"n_segments": 9, "n_masks": 40, "seed": SEED}


def scores(batch: Tensor) -> Tensor:
    """The logits of pixels [N, 3, H, W], as captum asks for them."""
    with torch.no_grad():
        logits: Tensor = seeded_executor().network(Preprocess(SIDE, SIDE).inputs(batch.permute(0, 2, 3, 1).clone()))
    return logits


def by_captum(name: str, target: int, image: Tensor) -> Tensor:
    """The same method on pixels, [3, H, W], by captum alone and with its own linear models."""
    inputs = image.permute(2, 0, 1)[None].float()
    numbers = image.numpy()
    hidden = torch.from_numpy(np.rint(fill("blur", numbers))).permute(2, 0, 1)[None]
    places = torch.from_numpy(superpixels(numbers, SHORT["n_segments"]))[None, None]
    common: dict[str, Any] = {"baselines": hidden, "target": target}
    torch.manual_seed(SEED)
    match name:
        case "occlusion":
            found = Occlusion(scores).attribute(
                inputs, sliding_window_shapes=(3, 12, 12), strides=(3, 4, 4), perturbations_per_eval=8, **common
            )
        case "feature_ablation":
            found = FeatureAblation(scores).attribute(inputs, feature_mask=places, **common)
        case "shapley_value_sampling":
            count = int(places.max()) + 1
            found = ShapleyValueSampling(scores).attribute(inputs, feature_mask=places, n_samples=39 // count, **common)
        case "kernel_shap":
            method = KernelShap(scores)
            method.interpretable_model = SkLearnLinearRegression()
            found = method.attribute(inputs, feature_mask=places, n_samples=40, **common)
        case _:
            near = get_exp_kernel_similarity_function("cosine", 0.25)
            found = Lime(
                scores,
                interpretable_model=SkLearnRidge(alpha=1.0),
                similarity_func=lambda original, perturbed, visible, **more: near(torch.ones_like(visible), visible, 0),
            ).attribute(inputs, feature_mask=places, n_samples=40, **common)
    values: Tensor = found[0]
    return values


@pytest.mark.parametrize("name", METHODS)
def test_equals_captum_on_pixels(name: str) -> None:
    image = pixels()
    found = explain(seeded_executor(), image, parameters_for(name, **SHORT), fixed_targets(2, 0), batch_size=4)
    for attribution in found.attributions:
        for channel in by_captum(name, attribution.target, image):
            assert difference(attribution.values, channel) < 2e-3
    assert found.attributions[0].forward_passes is not None
    assert found.attributions[0].agreement is None
    assert found.attributions[0].notes == ()


@pytest.mark.parametrize("name", METHODS)
def test_passes_are_at_most_those_foretold(name: str) -> None:
    parameters = parameters_for(name, **SHORT)
    found = explain(seeded_executor(), pixels(), parameters, fixed_targets(2), batch_size=8).attributions[0]
    counted = algorithm(name).passes(parameters, 1)
    assert found.forward_passes is not None
    assert counted.least <= counted.most
    assert found.forward_passes <= counted.most


@pytest.mark.parametrize("name", ["shapley_value_sampling", "kernel_shap", "lime"])
def test_time_that_ends_leaves_what_there_was_time_for(name: str) -> None:
    """The result is that of a request for so many masks."""
    limited = explain_until(name, lambda growth: True, n_masks=400)
    assert "Time allowed for 32 of " in limited.notes[0]
    assert limited.forward_passes == 33
    asked = explain_until(name, lambda growth: False, n_masks=32)
    assert torch.equal(limited.values, asked.values)


def explain_until(name: str, out_of_time: Callable[[float], bool], **keys: Any) -> Attribution:
    parameters = parameters_for(name, **(SHORT | keys))
    (found,) = explain(
        seeded_executor(), pixels(), parameters, fixed_targets(1), out_of_time, batch_size=4
    ).attributions
    return found


@pytest.mark.parametrize("name", METHODS)
def test_chance_is_that_of_the_seed_alone(name: str) -> None:
    def run() -> Explanation:
        return explain(seeded_executor(), pixels(), parameters_for(name, **SHORT), fixed_targets(1), batch_size=4)

    torch.manual_seed(11)
    before = torch.get_rng_state()
    one = run()
    assert torch.equal(torch.get_rng_state(), before), "the generator of others is as it was"
    torch.rand(5)
    assert torch.equal(one.attributions[0].values, run().attributions[0].values)


def test_no_targets_cost_no_masks() -> None:
    found = explain(seeded_executor(), pixels(), parameters_for("lime"), fixed_targets())
    assert found.attributions == ()


def test_superpixels_are_numbered_without_gaps() -> None:
    found = superpixels(pixels().numpy(), 20)
    assert found.shape == (SIDE, SIDE)
    assert set(np.unique(found)) == set(range(found.max() + 1))
    assert 8 <= found.max() + 1 <= 30
    assert superpixels(np.zeros((3, 3, 3), np.uint8), 2).max() >= 1, "never a single one"


@pytest.mark.parametrize(("size", "cells"), [((64, 64), (16, 16)), ((60, 90), (16, 24)), ((5, 9), (5, 9))])
def test_a_grid_is_even(size: tuple[int, int], cells: tuple[int, int]) -> None:
    places, found = grid(*size, 16)
    assert found == cells
    counts = np.bincount(places.ravel())
    assert len(counts) == cells[0] * cells[1]
    assert counts.max() <= 2 * counts.min() + 2


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_least_squares_by_hand(ridge: float) -> None:
    random = torch.Generator().manual_seed(0)
    features = torch.rand(30, 4, generator=random)
    weights = torch.rand(30, generator=random) + 0.1
    outputs = features @ torch.tensor([1.0, -2.0, 0.0, 3.0]) + 7
    model = LeastSquares(ridge)
    batches: Sequence[tuple[Tensor, Tensor, Tensor]] = [
        (features[:20], outputs[:20], weights[:20]),
        (features[20:], outputs[20:], weights[20:]),
    ]
    model.fit(batches)
    found = model.representation()
    if not ridge:
        assert found.tolist() == pytest.approx([1, -2, 0, 3], abs=1e-4)
    else:
        assert 0 < found.norm() < torch.tensor([1.0, -2.0, 0.0, 3.0]).norm()
