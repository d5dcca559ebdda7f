import math

import pytest
import torch

from tests.support.training.coloured_images import SmallNetwork, small_hyperparameters
from training.loop.early_stopping import EarlyStopping
from training.loop.optimizer import build_optimizer
from training.loop.schedule import schedule, warmup_cosine


def test_the_rate_rises_and_then_follows_the_cosine() -> None:
    rate = warmup_cosine(4, 24, 0.45)
    assert [rate(step) for step in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert rate(14) == pytest.approx(0.5 * (1 + math.cos(2 * math.pi * 0.45 * 0.5)))
    assert warmup_cosine(0, 10, 0.5)(10) == pytest.approx(0)


def test_steps_lower_the_rate_by_epochs() -> None:
    rate = schedule(small_hyperparameters(lr_scheduler="step", step_lr_step_size=2, step_lr_gamma=0.1), 3, 6)
    assert [rate(step) for step in (0, 5, 6, 11, 12)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize(("strictly", "stopped_after"), [(False, 10), (True, 11)])
def test_patience_counts_from_the_delay_on(strictly: bool, stopped_after: int) -> None:
    stopping = EarlyStopping(patience=5, delay=5, strictly=strictly)
    epochs = 0
    while not stopping.stop:
        stopping.add(epochs, 1.0 if epochs == 0 else 0.5)
        epochs += 1
    assert epochs == stopped_after
    assert stopping.best_epoch == 0


def test_biases_and_batch_norms_do_not_decay() -> None:
    network = SmallNetwork(3)
    optimizer = build_optimizer(network, small_hyperparameters(weight_decay=0.1), 0.1)
    decayed, others = optimizer.param_groups
    assert decayed["weight_decay"] == 0.1
    assert {id(each) for each in decayed["params"]} == {id(network[0].weight), id(network[6].weight)}
    assert others["weight_decay"] == 0
    assert len(others["params"]) == 3


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_every_optimizer_lowers_a_loss(name: str) -> None:
    torch.manual_seed(0)
    network = SmallNetwork(2)
    optimizer = build_optimizer(network, small_hyperparameters(optimizer=name), 0.01)
    inputs, targets = torch.randn(8, 3, 8, 8), torch.arange(8) % 2
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
