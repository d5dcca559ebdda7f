"""The numbers of classifiers, beside scikit-learn's."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as reference

from training.errors import TrainingError
from training.metrics.classification import evaluate_multiclass, evaluate_multilabel

LABELS = ["can", "carton", "milk_bottle", "water_bottle"]
AVERAGES = ("macro", "micro", "weighted")


def some_multiclass(seed: int, count: int = 60, classes: int = 4) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    targets = rng.choice(classes, count, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    # Rounded, so that scores are often equal
    scores = (rng.random((count, classes)) + 0.5 * np.eye(classes)[targets]).round(1) + 0.05
    return scores / scores.sum(1, keepdims=True), targets


def some_multilabel(seed: int, count: int = 60) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    truth = rng.random((count, 4)) < (0.1, 0.3, 0.5, 0.9)
    # The same shares of 0.05 are often drawn, 0.5 among them
    return (0.6 * rng.random(truth.shape) + 0.4 * truth).round(1).clip(0, 1), truth


def of_sets(truth: NDArray[Any], predicted: NDArray[Any], average: str) -> dict[str, float]:
    options: dict[str, Any] = {"average": average, "zero_division": 0}
    return {
        f"precision_score_{average}": reference.precision_score(truth, predicted, **options),
        f"recall_score_{average}": reference.recall_score(truth, predicted, **options),
        f"f1_score_{average}": reference.f1_score(truth, predicted, **options),
    }


@pytest.mark.parametrize("seed", range(3))
def test_multiclass_equals_scikit_learn(seed: int) -> None:
    scores, targets = some_multiclass(seed)
    guesses, counts = scores.argmax(1), np.bincount(targets)
    recall = reference.recall_score(targets, guesses, average="macro")
    expected = {
        "accuracy": reference.accuracy_score(targets, guesses),
        "balanced_accuracy": reference.balanced_accuracy_score(targets, guesses),
        "weighted_accuracy": reference.accuracy_score(targets, guesses, sample_weight=counts[targets]),
        "matthews_correlation": reference.matthews_corrcoef(targets, guesses),
        "log_loss": reference.log_loss(targets, scores),
        "norm_macro_recall": (recall - 0.25) / 0.75,
    }
    for average in AVERAGES:
        expected |= of_sets(targets, guesses, average)
        expected[f"AUC_{average}"] = reference.roc_auc_score(targets, scores, average=average, multi_class="ovr")
        expected[f"average_precision_score_{average}"] = reference.average_precision_score(
            np.eye(4)[targets], scores, average=average
        )
    found = evaluate_multiclass(scores, targets, LABELS)
    assert found.metrics == pytest.approx(expected, abs=1e-9)
    assert found.confusion is not None
    assert found.confusion.tolist() == reference.confusion_matrix(targets, guesses).tolist()
    assert 0.3 < found.metrics["accuracy"] < 0.95


@pytest.mark.parametrize("seed", range(3))
def test_multilabel_equals_scikit_learn(seed: int) -> None:
    scores, truth = some_multilabel(seed)
    predicted = scores > 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some images have no labels
        expected = {"iou": reference.jaccard_score(truth, predicted, average="samples")}
    expected |= {
        "accuracy": reference.accuracy_score(truth, predicted),
        "log_loss": np.mean([reference.log_loss(truth[:, each], scores[:, each]) for each in range(4)]),
    }
    for average in AVERAGES:
        expected |= of_sets(truth, predicted, average)
        expected[f"iou_{average}"] = reference.jaccard_score(truth, predicted, average=average)
        expected[f"AUC_{average}"] = reference.roc_auc_score(truth, scores, average=average)
        expected[f"average_precision_score_{average}"] = reference.average_precision_score(
            truth, scores, average=average
        )
    found = evaluate_multilabel(scores, truth, LABELS)
    assert found.metrics == pytest.approx(expected, abs=1e-9)
    assert found.confusion is None


def test_two_labels_have_numbers_of_the_second() -> None:
    scores, targets = some_multiclass(5, classes=2)
    guesses = scores.argmax(1)
    found = evaluate_multiclass(scores, targets, ["no", "yes"]).metrics
    expected = {
        "AUC_binary": reference.roc_auc_score(targets, scores[:, 1]),
        "average_precision_score_binary": reference.average_precision_score(targets, scores[:, 1]),
        "precision_score_binary": reference.precision_score(targets, guesses),
        "recall_score_binary": reference.recall_score(targets, guesses),
        "f1_score_binary": reference.f1_score(targets, guesses),
    }
    assert {name: found[name] for name in found if name.endswith("_binary")} == pytest.approx(expected, abs=1e-9)


def test_each_label_has_its_numbers() -> None:
    scores, targets = some_multiclass(1)
    found = evaluate_multiclass(scores, targets, LABELS).per_label
    truth, right = targets == 2, scores.argmax(1) == 2
    assert list(found) == LABELS
    assert found["milk_bottle"] == pytest.approx(
        {
            "AUC": reference.roc_auc_score(truth, scores[:, 2]),
            "average_precision_score": reference.average_precision_score(truth, scores[:, 2]),
            "precision_score": reference.precision_score(truth, right),
            "recall_score": reference.recall_score(truth, right),
            "f1_score": reference.f1_score(truth, right),
            "images": truth.sum(),
            "predicted": right.sum(),
        }
    )
    scores, sets = some_multilabel(1)
    per_label = evaluate_multilabel(scores, sets, [1, 2, 3, 4]).per_label
    assert per_label["3"]["iou"] == pytest.approx(reference.jaccard_score(sets[:, 2], scores[:, 2] > 0.5))


def test_a_label_that_does_not_occur_has_no_numbers() -> None:
    found = evaluate_multiclass(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]), np.array([0, 0]), ["a", "b", "c"])
    assert found.per_label["c"] == {"images": 0, "predicted": 0}
    assert found.per_label["b"] == {"precision_score": 0, "images": 0, "predicted": 1}
    assert "AUC" not in found.per_label["a"], "no image without it"
    assert found.metrics["precision_score_macro"] == 0.5, "labels neither true nor predicted do not count"
    assert found.metrics["matthews_correlation"] == 0.0
    assert "AUC_macro" not in found.metrics
    assert 0.0 <= found.metrics["AUC_micro"] <= 1.0


@pytest.mark.parametrize("targets", [[[0, 0, 0]], [[1, 1, 1]], [[1, 0, 1]], [[0, 0, 0], [0, 0, 0]]], ids=str)
def test_what_is_undefined_is_left_out(targets: list[list[int]]) -> None:
    scores = np.array([[0.9, 0.1, 0.6], [0.2, 0.3, 0.4]])[: len(targets)]
    found = evaluate_multilabel(scores, np.array(targets, bool), ["a", "b", "c"])
    numbers = [*found.metrics.values(), *(value for each in found.per_label.values() for value in each.values())]
    assert np.isfinite(numbers).all()
    assert found.metrics["iou"] == {0: 0.0, 3: 2 / 3, 2: 1.0}[sum(targets[0])]
    assert ("recall_score_weighted" in found.metrics) == bool(np.sum(targets))


def test_one_image_is_enough() -> None:
    found = evaluate_multiclass(np.array([[0.25, 0.75]]), np.array([1]), ["a", "b"]).metrics
    assert np.isfinite(list(found.values())).all()
    assert (found["accuracy"], found["balanced_accuracy"], found["AUC_micro"]) == (1.0, 1.0, 1.0)
    assert found["log_loss"] == pytest.approx(-np.log(0.75))


def test_one_label_has_the_primary_metric_alone() -> None:
    assert evaluate_multiclass(np.ones((3, 1)), np.zeros(3, int), ["can"]).metrics == {"accuracy": 1.0}
    assert evaluate_multilabel(np.full((2, 1), 0.9), np.array([[1], [0]], bool), ["can"]).metrics == {"iou": 0.5}


def test_scores_of_0_cost_much_but_not_all() -> None:
    found = evaluate_multiclass(np.array([[1.0, 0.0]], np.float32), np.array([1]), ["a", "b"]).metrics
    assert found["log_loss"] == pytest.approx(reference.log_loss([1], np.array([[1.0, 0.0]]), labels=[0, 1]))


def test_scores_that_are_not_finite_are_refused() -> None:
    scores = np.array([[0.5, 0.5], [np.nan, 0.5], [0.5, np.inf]])
    with pytest.raises(TrainingError, match=r"2 of 3 validation images .* Lower learning_rate"):
        evaluate_multiclass(scores, np.array([0, 1, 1]), ["a", "b"])
