"""Gradient times attention against references that hook the attention of networks of timm, where it is not fused."""

import copy
from typing import Any

import pytest
import timm
import torch
from timm.models.swin_transformer import window_reverse
from torch import Tensor, nn
from torch.nn import functional

from explain.errors import ExplanationError
from explain.network.attention import AttentionReader
from explain.network.executor import Executor
from explain.request.targets import fixed_targets
from explain.run import explain
from models.architecture.attention_grid import AttentionGrid
from models.architecture.catalog import classifier_architecture
from tests.support.explain_networks import (
    SIDE,
    attributions,
    difference,
    executor_of,
    inputs,
    parameters_for,
    pixels,
    seeded_executor,
)

TINY: dict[str, Any] = {"img_size": SIDE, "num_classes": 4}
VIT = {"patch_size": 16, "embed_dim": 24, "depth": 3, "num_heads": 3}
SWIN = {"window_size": 4, "embed_dim": 12, "depths": (2, 3, 2, 1), "num_heads": (1, 2, 2, 2)}
# name in timm, options, and the tokens whose outputs the head reads
GLOBAL: dict[str, tuple[dict[str, Any], slice]] = {
    "vit_tiny_patch16_224": (VIT, slice(0, 1)),
    "deit_tiny_distilled_patch16_224": (VIT, slice(0, 2)),
    "vit_base_patch16_siglip_224": (VIT, slice(0, None)),  # pools all patches by an attention of its own
    "vit_medium_patch16_reg4_gap_256": (VIT, slice(4, None)),
    "beit_base_patch16_224": (VIT | {"use_abs_pos_emb": False}, slice(1, None)),
    "eva02_tiny_patch14_224": (VIT, slice(1, None)),
}
WINDOWS: dict[str, dict[str, Any]] = {
    "swin_tiny_patch4_window7_224": SWIN,
    "swinv2_tiny_window8_256": SWIN,
    "swinv2_cr_tiny_224": SWIN | {"patch_size": 4},
}


def built(name: str, options: dict[str, Any]) -> Executor:
    torch.manual_seed(3)
    network = timm.create_model(name, **TINY, **options)
    for key, parameter in network.named_parameters():  # fresh weights hardly attend, and some norms begin with 0
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.2)
        elif "weight" in key or "gamma" in key:
            nn.init.ones_(parameter)
    return executor_of(network, attention=classifier_architecture(f"timm/{name}").attention)


def attention_of(executor: Executor, target: int) -> list[tuple[Any, Tensor, Tensor]]:
    """Each attention module with its attention, [heads, T, T] or [windows, heads, T, T], and the gradient there."""
    network = copy.deepcopy(executor.network)
    found: list[tuple[Any, Tensor]] = []
    modules: list[Any] = list(network.modules())
    blocks = [module for module in modules if hasattr(module, "attn") and hasattr(module.attn, "attn_drop")]
    for block in blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(
            lambda module, args, output, block=block: found.append((block, output))
        )
    output = network(inputs().requires_grad_())[0, target]
    gradients = torch.autograd.grad(output, [attention for _, attention in found])
    return [(block, attention.detach(), each) for (block, attention), each in zip(found, gradients, strict=True)]


@pytest.mark.parametrize("name", GLOBAL)
def test_it_is_followed_through_all_blocks(name: str) -> None:
    options, read = GLOBAL[name]
    executor = built(name, options)
    prefix = executor.required_attention().prefix_tokens
    for found in attributions(executor, parameters_for("attention", interpolation="nearest"), 0, 2):
        hooked = attention_of(executor, found.target)
        assert len(hooked) == VIT["depth"]
        relevance = torch.eye(hooked[0][1].shape[-1])
        for _, attention, gradient in hooked:
            relevance = relevance + (attention * gradient)[0].clamp(min=0).mean(0) @ relevance
        relevance -= torch.eye(len(relevance))
        coarse = relevance[read].mean(0)[prefix:].reshape(1, 1, 4, 4)
        assert coarse.any()
        expected = 16 * functional.interpolate(coarse, (SIDE, SIDE), mode="nearest")[0, 0]
        assert difference(found.values, expected) < 1e-4


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_laid_back_in_place(name: str) -> None:
    executor = built(name, WINDOWS[name])
    for found in attributions(executor, parameters_for("attention", interpolation="nearest"), 1, 3):
        hooked = attention_of(executor, found.target)
        assert [bool(any(block.shift_size)) for block, *_ in hooked] == [False, True, False, True, *[False] * 4]
        expected = torch.zeros(SIDE, SIDE)
        for block, attention, gradient in hooked:
            window: Any = block.window_size
            side = block.input_resolution[0] if hasattr(block, "input_resolution") else block.feat_size[0]
            taken = (attention * gradient).clamp(min=0).mean(1).sum(1).view(-1, *window, 1)
            grid = window_reverse(taken, window, side, side)[..., 0].roll(tuple(block.shift_size), (1, 2))
            expected += side**2 * functional.interpolate(grid[None], (SIDE, SIDE), mode="nearest")[0, 0]
        assert difference(found.values, expected / len(hooked)) < 1e-4


def test_maps_tell_labels_apart_and_see_where_a_label_is() -> None:
    executor = seeded_executor("vits16r224")
    one, other = attributions(executor, parameters_for("attention"), 0, 1)
    assert one.values.shape == (SIDE, SIDE)
    assert float(one.values.min()) >= 0
    assert difference(one.values, other.values) > 0.1


def test_the_same_bits_in_any_company() -> None:
    executor = seeded_executor("vits16r224")
    together = explain(executor, pixels(), parameters_for("attention"), fixed_targets(0, 2), batch_size=3)
    alone = explain(executor, pixels(), parameters_for("attention"), fixed_targets(2), batch_size=3)
    assert torch.equal(together.attributions[1].values, alone.attributions[0].values)


def test_the_pass_computes_the_scores_of_the_network_and_leaves_it() -> None:
    executor = built("vit_tiny_patch16_224", VIT)
    before = [(module, dict(vars(module))) for module in executor.network.modules()]
    found = explain(executor, pixels(), parameters_for("attention"), fixed_targets(0))
    assert difference(found.logits[None], executor.network(inputs())) < 1e-5
    for module, state in before:
        assert vars(module).keys() == state.keys()
        assert all(vars(module)[key] is value for key, value in state.items())


@pytest.mark.parametrize("masked", [None, "bool", "float"])
def test_a_fused_attention_is_computed_step_by_step(masked: str | None) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 1, 2, 5, 8, generator=generator).requires_grad_()
    mask = {None: None, "bool": torch.eye(5) < 1, "float": torch.randn(5, 5, generator=generator)}[masked]
    reader = AttentionReader(nn.Identity(), AttentionGrid(1), 1, SIDE)
    with reader:
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3)
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3)
    torch.testing.assert_close(found, expected)
    (attention,) = reader.tensors()
    torch.testing.assert_close(attention.sum(-1), torch.ones(1, 2, 5))


def test_a_network_without_attention_is_refused_before_any_work() -> None:
    with pytest.raises(ExplanationError, match=r"ResNet has no attention.*Use layercam, gradcam or xrai") as caught:
        attributions(seeded_executor(), parameters_for("attention"), 0)
    assert caught.value.code == "algorithm_unsupported"


@pytest.mark.parametrize(
    ("name", "options", "grid"),
    [
        ("vit_tiny_patch16_224", VIT, AttentionGrid(2)),  # 15 patches
        ("vit_tiny_patch16_224", VIT, AttentionGrid(None)),
        ("swin_tiny_patch4_window7_224", SWIN | {"window_size": 5}, AttentionGrid(None)),  # pads its windows
        ("resnet18", {"img_size": None}, AttentionGrid(1)),
    ],
    ids=["tokens", "no windows", "padded windows", "none"],
)
def test_attention_that_forms_no_grid_cannot_be_read(name: str, options: dict[str, Any], grid: AttentionGrid) -> None:
    given = {key: value for key, value in (TINY | options).items() if value is not None}
    executor = executor_of(timm.create_model(name, **given), attention=lambda network: grid)
    with pytest.raises(ExplanationError, match="forms no square grid over the picture") as caught:
        attributions(executor, parameters_for("attention"), 0)
    assert caught.value.code == "algorithm_unsupported"


def test_a_network_that_computes_no_numbers_is_an_error() -> None:
    executor = built("vit_tiny_patch16_224", VIT)
    executor.network.get_parameter("blocks.1.mlp.fc1.weight").fill_(torch.nan)
    with pytest.raises(Exception, match="gradients of the network are not finite"):
        attributions(executor, parameters_for("attention"), 0)
