import math

import torch
from torch import nn

from training.moving_average import MovingAverage


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def step(trained: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    trained(torch.randn(2, 3, 4, 4))
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(torch.randn_like(parameter))


def test_an_average_keeps_the_published_share_of_itself() -> None:
    trained = network()
    average = MovingAverage(trained, decay=0.9, ramp=3)
    expected = {name: tensor.double().clone() for name, tensor in trained.state_dict().items()}
    for update in range(1, 6):
        step(trained, update)
        average.update(trained)
        kept = 0.9 * (1 - math.exp(-update / 3))
        for name, tensor in trained.state_dict().items():
            whole = not tensor.is_floating_point()
            expected[name] = tensor.double().clone() if whole else kept * expected[name] + (1 - kept) * tensor.double()
    for name, tensor in average.network.state_dict().items():
        torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-5, atol=1e-6)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


def test_a_resumed_average_equals_an_unbroken_one() -> None:
    unbroken, resumed, trained = MovingAverage(network()), MovingAverage(network()), network()
    for update in range(4):
        step(trained, update)
        unbroken.update(trained)
        resumed.update(trained)
        if update == 1:
            state = dict(resumed.state_dict())
            resumed = MovingAverage(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))
            resumed.load_state_dict(state)
    for one, other in zip(unbroken.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(one, other)
