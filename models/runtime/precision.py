"""Precision: the arithmetic that scores are computed in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

# Convolutions and matrix products, each with its own setting. PyTorch has an older and a newer form of these settings:
# the code that traces networks reads the older one, and fails after the newer one was used.
_MULTIPLYING: tuple[Any, Any] = (torch.backends.cudnn, torch.backends.cuda.matmul)


@dataclass(frozen=True, slots=True)
class Precision:
    """One value of the setting `precision`.

    `dtype` is the type of the layers that can be computed in a smaller one. With `tf32`, a GPU rounds the factors of
    products to mantissas of 10 bits, although all values are float32.
    """

    name: str
    dtype: torch.dtype
    tf32: bool = False

    @property
    def full(self) -> bool:
        """Whether this is float32 throughout, which all others are compared with."""
        return self.dtype is torch.float32 and not self.tf32

    @property
    def needs_gpu(self) -> bool:
        """Whether CPUs cannot compute in it."""
        return self.tf32 or self.dtype is torch.float16

    @contextmanager
    def applied(self, device: torch.device) -> Iterator[None]:
        """Compute in this precision on the calling thread, for the time of a `with` block."""
        if self.dtype is not torch.float32:
            with torch.autocast(device.type, self.dtype):
                yield
        elif self.tf32:
            before = [part.allow_tf32 for part in _MULTIPLYING]
            _allow_tf32(True, True)
            try:
                yield
            finally:
                _allow_tf32(*before)
        else:
            yield


FP32 = Precision("fp32", torch.float32)

PRECISIONS: Mapping[str, Precision] = MappingProxyType(
    {
        precision.name: precision
        for precision in (
            FP32,
            Precision("tf32", torch.float32, tf32=True),
            Precision("bf16", torch.bfloat16),
            Precision("fp16", torch.float16),
        )
    }
)


# what the precision `auto` chooses among, the one that a model is loaded in first
_CHOICES = (FP32, PRECISIONS["bf16"])


def precisions(setting: str) -> tuple[Precision, ...]:
    """Return the precisions that a value of the setting `precision` allows; a model is loaded in the first of them."""
    return _CHOICES if setting == "auto" else (PRECISIONS[setting],)


def disable_tf32() -> None:
    """Have GPUs multiply float32 without rounding to tf32, which PyTorch allows in convolutions by default."""
    _allow_tf32(False, False)


def _allow_tf32(*allowed: bool) -> None:
    for part, value in zip(_MULTIPLYING, allowed, strict=True):
        part.allow_tf32 = value
