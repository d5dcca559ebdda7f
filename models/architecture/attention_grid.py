"""AttentionGrid: how the attention of a transformer lies over the image, which explanations by attention read."""

from dataclasses import dataclass

from torch import nn

from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class AttentionGrid:
    """Where the tokens of a transformer are.

    Where every token attends to every other, `prefix_tokens` tokens come before a square grid of patches. It is None
    where the tokens of a grid attend within square windows, which every second block of a resolution shifts by half a
    window (Swin, https://arxiv.org/abs/2103.14030).
    """

    prefix_tokens: int | None


def no_attention(network: nn.Module) -> AttentionGrid:
    """Raise ModelError: the rule of networks without attention that can be read."""
    raise ModelError(
        f"{type(network).__name__} has no attention that can be read; that of ViT, DeiT, BEiT and Swin networks can."
    )
