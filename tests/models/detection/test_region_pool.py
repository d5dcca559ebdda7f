"""Regions of maps against torchvision's RoIAlign."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign, roi_align

from models.networks.region_pool import RegionPool

HEIGHT, WIDTH = 192, 256
SIZES = [(HEIGHT, WIDTH)] * 2
NAMES = ["0", "1", "2", "3"]


def maps() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(3)
    return {
        name: torch.randn(2, 8, HEIGHT >> level, WIDTH >> level, generator=chance).requires_grad_()
        for level, name in enumerate(NAMES, start=2)
    }


def regions() -> list[Tensor]:
    """Of all sizes, some without area and some outside of the image."""
    chance = torch.Generator().manual_seed(4)
    start = torch.rand(2, 60, 2, generator=chance) * torch.tensor([WIDTH, HEIGHT]) - 20
    size = torch.rand(2, 60, 2, generator=chance) ** 3 * 500
    size[:, :3] = 0
    size[:, 3] = 600
    found = torch.cat([start, start + size], dim=2)
    found[:, 4] += 1000
    return list(found)


@pytest.mark.parametrize("side", [7, 14])
def test_values_and_gradients_are_those_of_torchvision(side: int) -> None:
    results = []
    for pool in (RegionPool(side), MultiScaleRoIAlign(NAMES, side, sampling_ratio=2)):
        given = maps()
        pooled = pool(given, regions(), SIZES)
        (pooled * torch.linspace(0, 1, pooled.numel()).view(pooled.shape)).sum().backward()
        results.append([pooled.detach(), *(values.grad for values in given.values())])
    for ours, theirs in zip(*results, strict=True):
        assert ours.abs().max() > 0.1
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_images_without_regions() -> None:
    some = regions()[0]
    assert RegionPool(7)(maps(), [some[:0]] * 2, SIZES).shape == (0, 8, 7, 7)
    given = maps()
    alone = RegionPool(7)({name: values[1:] for name, values in given.items()}, [some], SIZES[1:])
    assert torch.allclose(RegionPool(7)(given, [some[:0], some], SIZES), alone, atol=1e-5)


def test_maps_of_a_smaller_type_are_pooled_in_float32() -> None:
    small = {name: values.detach().bfloat16().requires_grad_() for name, values in maps().items()}
    with torch.autocast("cpu", torch.bfloat16):
        pooled = RegionPool(7)(small, regions(), SIZES)
    pooled.sum().backward()
    assert pooled.dtype == torch.float32
    assert torch.allclose(pooled, RegionPool(7)(maps(), regions(), SIZES), atol=0.1)
    assert all(values.grad is not None and values.grad.abs().max() > 0 for values in small.values())


def test_one_region_of_one_map_is_pooled_as_torchvision_does_and_has_its_gradients() -> None:
    chance = torch.Generator().manual_seed(5)
    values = torch.randn(2, 3, 9, 12, generator=chance, dtype=torch.float64).requires_grad_()
    corners = torch.tensor([[1.3, 0.4, 7.9, 6.2], [-1.0, 3.0, 4.0, 9.5], [10.2, 7.7, 12.0, 9.0]], dtype=torch.float64)
    image = torch.tensor([0, 1, 1])
    pool = RegionPool(3)
    expected = roi_align(values, torch.cat([image[:, None].double(), corners], 1), 3, sampling_ratio=2)
    assert torch.allclose(pool.pooled(values, corners, image), expected, atol=1e-12)
    assert torch.autograd.gradcheck(lambda given: pool.pooled(given, corners, image), (values,))
