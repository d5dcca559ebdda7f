"""Attention maps: what the blocks of a transformer attend to, weighted with how much that matters to a target.

Chefer et al., https://arxiv.org/abs/2103.15679: of each block, the attention times its gradient, where that is above 0.
Fused kernels never hold the attention. While a thread is inside an AttentionReader, it is computed step by step, so
that autograd knows it. Nothing is hooked, replaced or shared, so other threads may run the same network at the same
time.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from explain.errors import ExplanationError
from models.architecture.attention_grid import AttentionGrid

_SOFTMAXES = {functional.softmax, torch.softmax, Tensor.softmax}


class AttentionReader(TorchFunctionMode):
    """Reads the attention of one forward pass of `rows` images of `side` pixels, which runs inside `with reader`.

    `network` is the network to run, whose inputs need gradients: `from_inputs`.
    """

    from_inputs = True

    def __init__(self, network: nn.Module, grid: AttentionGrid, rows: int, side: int) -> None:
        super().__init__()
        self.network = network
        self._grid = grid
        self._rows = rows
        self._side = side
        self._attentions: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute `func` of `args`, and keep the attention if it is one."""
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value", "attn_mask"), args, strict=False)) | dict(kwargs)
            if not (given.get("is_causal") or given.get("enable_gqa")):  # which no network of images has
                return self._attend(
                    given["query"], given["key"], given["value"], given.get("attn_mask"), given.get("scale")
                )
        result = func(*args, **kwargs)
        if func in _SOFTMAXES:
            self._keep(result)
        return result

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, scale: float | None
    ) -> Tensor:
        """Do what the fused function does for a network that evaluates."""
        scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        return self._keep(scores.softmax(-1)) @ value

    def _keep(self, attention: Tensor) -> Tensor:
        # that of tokens to themselves, [N, heads, T, T]; pooling with a token of its own is another thing
        if attention.dim() == 4 and attention.shape[2] == attention.shape[3] and attention.requires_grad:
            self._attentions.append(attention)
        return attention

    def tensors(self) -> list[Tensor]:
        """Return the attention of all blocks, in order: what to differentiate the outputs by.

        Raises ExplanationError, code `algorithm_unsupported`, where it does not form the grid of the network.
        """
        tokens = [attention.shape[2] for attention in self._attentions]
        images = [attention.shape[0] // self._rows for attention in self._attentions]
        if self._grid.prefix_tokens is None:
            sides = [math.isqrt(one) * math.isqrt(own) for one, own in zip(images, tokens, strict=True)]
            # padded windows reach beyond the image, so their side is no whole power of two of its pixels
            fits = all(
                side**2 == one * own and self._side % side == 0 and (self._side // side).bit_count() == 1
                for side, one, own in zip(sides, images, tokens, strict=True)
            )
        else:
            patches = [own - self._grid.prefix_tokens for own in tokens]
            fits = len(set(tokens)) == 1 and set(images) == {1} and math.isqrt(max(0, patches[0])) ** 2 == patches[0]
        if not self._attentions or not fits:
            raise ExplanationError(
                "algorithm_unsupported",
                f"The attention of this {type(self.network).__name__} forms no square grid over the picture, so it "
                "cannot be read. Use xrai or integrated_gradients.",
            )
        return self._attentions

    def maps(self, row: int, gradients: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the maps of one image, float32 [h, w], given the gradients of a target at `tensors`.

        This is one map where all tokens attend to each other, and one for each block where they do so in windows.
        """
        pairs = [
            (attention.detach().chunk(self._rows)[row], gradient.chunk(self._rows)[row])
            for attention, gradient in zip(self._attentions, gradients, strict=True)
        ]
        # [windows, T, T]: what each token takes from each other one
        taken = [(attention * gradient).float().clamp_min(0).mean(1) for attention, gradient in pairs]
        if self._grid.prefix_tokens is None:
            return tuple(_in_place(block, shifted) for block, shifted in zip(taken, _shifted(taken), strict=True))
        # in the last block, only what the head reads has gradients: a class token, two, or all patches
        read = pairs[-1][1][0].abs().amax((0, 2)) != 0
        return (_followed([block[0] for block in taken], read, self._grid.prefix_tokens),)


def _followed(blocks: Sequence[Tensor], read: Tensor, prefix_tokens: int) -> Tensor:
    """Follow what the tokens `read`, bool [T], took through all blocks, [T, T] each, back to the patches: [h, h]."""
    total = torch.zeros_like(blocks[0])  # without the identity that stands for the residual connections
    for taken in blocks:
        total = total + taken + taken @ total
    patches = total[read].sum(0)[prefix_tokens:] / read.sum().clamp_min(1)
    side = math.isqrt(len(patches))
    return patches.view(side, side)


def _shifted(blocks: Sequence[Tensor]) -> list[bool]:
    """Tell which blocks shift their windows: every second one of those with windows alike, if these are several."""
    shifted: list[bool] = []
    for number, taken in enumerate(blocks):
        alike = number > 0 and blocks[number - 1].shape == taken.shape
        shifted.append(len(taken) > 1 and alike and not shifted[-1])
    return shifted


def _in_place(taken: Tensor, shifted: bool) -> Tensor:
    """Lay what all tokens of a block took from each, [windows, T, T], over the grid: [h, h]."""
    across, window = math.isqrt(len(taken)), math.isqrt(taken.shape[1])
    grid = taken.sum(1).view(across, across, window, window).transpose(1, 2).reshape(across * window, -1)
    return grid.roll((window // 2, window // 2), (0, 1)) if shifted else grid
