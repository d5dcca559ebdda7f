import math

import pytest
import torch

from models.definition import task_named
from models.predictions import ClassScores
from tests.support.contract import contract

LABELS = ("can", "carton", "milk_bottle")


def scores(task: str, logits: list[float]) -> ClassScores:
    found = task_named(task).prediction(torch.tensor(logits), LABELS)
    assert isinstance(found, ClassScores)
    return found


def test_multiclass_is_a_softmax() -> None:
    found = scores("multiclass", [1.0, 2.0, -0.5])
    powers = [math.exp(logit) for logit in (1.0, 2.0, -0.5)]
    assert found.probs == pytest.approx([power / sum(powers) for power in powers], abs=1e-7)
    assert sum(found.probs) == pytest.approx(1, abs=1e-6)


@contract("Replies", "Multilabel: independent sigmoids, no threshold")
def test_multilabel_is_a_sigmoid_of_each() -> None:
    found = scores("multilabel", [1.0, 2.0, -0.5])
    assert found.probs == pytest.approx([1 / (1 + math.exp(-logit)) for logit in (1.0, 2.0, -0.5)], abs=1e-7)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_large_logits_stay_probabilities(task: str) -> None:
    found = scores(task, [1e4, -1e4, 3e38])
    assert all(0 <= probability <= 1 for probability in found.probs)
    assert found.probs[1:] == [0, 1]


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_all_labels_are_given_in_the_order_of_training_as_plain_values(task: str) -> None:
    found = scores(task, [0.1, 0.9, 0.5])
    assert found.labels == list(LABELS)
    assert [type(probability) for probability in found.probs] == [float] * 3
    assert found.probs[1] > found.probs[2] > found.probs[0]


def test_probabilities_are_not_rounded() -> None:
    (probability, *_) = scores("multilabel", [0.1, 0, 0]).probs
    assert probability == torch.tensor(0.1).sigmoid().item()


def test_hosted_names() -> None:
    assert task_named("multiclass").hosted_name == "image-classification"
    assert task_named("multilabel").hosted_name == "image-classification-multilabel"
