"""A label explained against another, or against the rest: what is selected, and the number that is traced."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from explain.errors import ExplanationError
from explain.request.targets import ExplainedTarget, Reference, fixed_targets, target_selector
from explain.run import begin, explain
from models.architecture.cam_layer import CamLayer
from tests.support.explain_networks import (
    Linear,
    difference,
    executor_of,
    inputs,
    parameters_for,
    pixels,
    seeded_executor,
    together,
)
from tests.support.folders.checkpoints import seeded_network

LABELS = ("can", "carton", "jar", "tub")
LOGITS = torch.tensor([0.1, 2.0, 0.5, 1.0])


class Contrast(nn.Module):
    """One logit: that of a label less that of another, or of the log-sum-exp of all others."""

    def __init__(self, network: nn.Module, target: ExplainedTarget) -> None:
        super().__init__()
        self.network = network
        self.target = target

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        index, against = self.target.index, self.target.against
        others = [other for other in range(logits.shape[1]) if other != index] if against == "rest" else [against]
        contrast: Tensor = logits[:, [index]] - logits[:, others].exp().sum(1, keepdim=True).log()
        return contrast


@pytest.mark.parametrize("against", [3, "rest"])
@pytest.mark.parametrize(
    "parameters",
    [
        parameters_for("xrai", n_steps=3),
        parameters_for("integrated_gradients", n_steps=4),
        parameters_for("gradcam"),
        parameters_for("guided_gradcam"),
        parameters_for("guided_backprop", noise_samples=2),
    ],
    ids=lambda parameters: parameters.xai_algorithm,
)
def test_it_is_the_map_of_a_network_that_computes_the_difference(parameters: Any, against: Reference) -> None:
    network, target = seeded_network("resnet18", 4, 64), ExplainedTarget(1, against)
    wrapped = executor_of(Contrast(network, target), cam_layer=lambda network: CamLayer("network.layer4.1"))
    (expected,) = explain(wrapped, pixels(), parameters, fixed_targets(0)).attributions
    (found,) = explain(seeded_executor(), pixels(), parameters, fixed_targets(target)).attributions
    (plain,) = explain(seeded_executor(), pixels(), parameters, fixed_targets(1)).attributions
    assert expected.values.any()
    assert difference(found.values, expected.values) < 1e-3
    assert difference(found.values, plain.values) > 0.01
    assert (found.target, found.against) == (1, against)
    assert found.gap == (None if expected.gap is None else pytest.approx(expected.gap, abs=1e-3))


@pytest.mark.parametrize("output", ["probability", "softmax"])
def test_probabilities_are_subtracted(output: str) -> None:
    executor = seeded_executor()
    parameters = parameters_for("integrated_gradients", n_steps=4, baseline=("mean",), output=output)
    (found,) = explain(executor, pixels(), parameters, fixed_targets(ExplainedTarget(3, 0))).attributions

    def gap(x: Tensor) -> Tensor:
        scores: Tensor = executor.network(x).softmax(1)
        return scores[:, 3] - scores[:, 0]

    expected = IntegratedGradients(gap).attribute(inputs(), n_steps=4, method="riemann_middle")
    assert difference(found.values, expected[0]) < 1e-4


def test_the_attributions_sum_to_the_change_of_the_difference() -> None:
    network = Linear()
    executor = executor_of(network)
    parameters = parameters_for("integrated_gradients", n_steps=2, baseline=("black",))
    black = executor.normalise(torch.zeros(1, 64, 64, 3))
    references: tuple[Reference, ...] = (2, "rest")
    for against in references:
        (found,) = explain(executor, pixels(), parameters, fixed_targets(ExplainedTarget(1, against))).attributions
        contrast = Contrast(network, ExplainedTarget(1, against))
        change = float((contrast(inputs()) - contrast(black)).detach())
        assert found.delta is not None
        assert found.delta == pytest.approx(float(found.values.sum(dtype=torch.float64)) - change, abs=1e-4)
        assert found.gap == pytest.approx(abs(found.delta) / abs(change), abs=1e-4)
    exact = explain(executor, pixels(), parameters, fixed_targets(ExplainedTarget(1, 2))).attributions[0]
    assert difference(exact.values, ((network.weight[1] - network.weight[2]) * (inputs() - black))[0]) < 1e-5


@pytest.mark.parametrize("algorithm", ["integrated_gradients", "gradcam"])
def test_rows_with_and_without_a_reference_share_batches(algorithm: str) -> None:
    executor, parameters = seeded_executor(), parameters_for(algorithm)
    references: tuple[Reference, ...] = (None, 2, "rest")
    selectors = [fixed_targets(ExplainedTarget(0, against)) for against in references]
    runs = [begin(executor, pixels(), parameters, selector) for selector in selectors]
    assert together(executor, runs, 4) > 0
    for run, selector in zip(runs, selectors, strict=True):
        alone = explain(executor, pixels(), parameters, selector, batch_size=4)
        assert run.explanation is not None
        assert torch.equal(run.explanation.attributions[0].values, alone.attributions[0].values)


def selected(labels: Sequence[str] = LABELS, *, independent: bool = False, **keys: Any) -> list[ExplainedTarget]:
    return list(target_selector(parameters_for(**keys), labels, independent=independent)(LOGITS))


def test_what_is_selected() -> None:
    assert selected() == [ExplainedTarget(1)]
    assert selected(against="tub") == [ExplainedTarget(1, 3)]
    assert selected(target="predicted", against="tub") == [ExplainedTarget(1, 3)]
    assert selected(target=["can", "predicted", 2], against=3) == [
        ExplainedTarget(0, 3),
        ExplainedTarget(1, 3),
        ExplainedTarget(2, 3),
    ]
    assert selected(top_k=2, against="rest") == [ExplainedTarget(1, "rest"), ExplainedTarget(3, "rest")]
    multilabel: dict[str, Any] = {"independent": True, "confidence_score_threshold_multilabel": 0.6}
    assert selected(**multilabel, against="can") == [
        ExplainedTarget(1, 0),
        ExplainedTarget(2, 0),
        ExplainedTarget(3, 0),
    ]
    assert selected(**multilabel, target="predicted") == [ExplainedTarget(1)]


def test_labels_of_a_model_go_before_words() -> None:
    labels = ("can", "predicted", "rest", "tub")
    assert selected(labels, target="predicted", against="rest") == [ExplainedTarget(1, 2)]
    assert selected(labels, target="rest", against="predicted", output="softmax") == [ExplainedTarget(2, 1)]


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ({"against": "tup"}, "target_unknown", "In 'against', 'tup' is no label.*or rest.*Did you mean 'tub'"),
        ({"against": "predicted"}, "target_unknown", "In 'against', 'predicted' is no label of this model"),
        ({"target": "tub", "against": 3}, "xai_parameters_invalid", "target 'tub' is explained against itself"),
        (
            {"target": "predicted", "against": 1},
            "xai_parameters_invalid",
            "target 'carton' is explained against itself",
        ),
        ({"against": "carton"}, "xai_parameters_invalid", "target 'carton' is explained against itself"),
        ({"against": "rest", "output": "softmax"}, "xai_parameters_invalid", "'output' is 'softmax'; rest needs"),
        ({"against": "rest", "output": "probability"}, "xai_parameters_invalid", "Set 'output' to 'logit'"),
    ],
)
def test_what_cannot_be_contrasted(keys: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(ExplanationError, match=words) as caught:
        selected(**keys)
    assert caught.value.code == code


def test_named_labels_against_themselves_are_refused_before_any_work() -> None:
    with pytest.raises(ExplanationError, match="'tub' is explained against itself"):
        target_selector(parameters_for(target=["can", "tub"], against="tub"), LABELS, independent=False)


def test_a_single_label_has_no_rest() -> None:
    with pytest.raises(ExplanationError, match="this model has no other label"):
        selected(("can",), against="rest")
