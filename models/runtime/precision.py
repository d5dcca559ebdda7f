"""Precision: the arithmetic that scores are computed in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

# Convolutions and matrices, each with a setting of its own.
# By the older of the two ways to say it: what traces networks reads only that, and fails after the newer one
_MULTIPLYING: tuple[Any, Any] = (torch.backends.cudnn, torch.backends.cuda.matmul)


@dataclass(frozen=True, slots=True)
class Precision:
    """What the setting `precision` calls `name`.

    `dtype` is that of the layers which can be computed in a smaller one. `tf32` lets a GPU round what it multiplies to
    mantissas of 10 bits, although all values are float32.
    """

    name: str
    dtype: torch.dtype
    tf32: bool = False

    @property
    def exact(self) -> bool:
        """Whether this is what all others are compared with."""
        return self.dtype is torch.float32 and not self.tf32

    @property
    def needs_gpu(self) -> bool:
        """Whether CPUs have nothing like it."""
        return self.tf32 or self.dtype is torch.float16

    @contextmanager
    def applied(self, device: torch.device) -> Iterator[None]:
        """Compute in this precision for a while, on the calling thread."""
        if self.dtype is not torch.float32:
            with torch.autocast(device.type, self.dtype):
                yield
        elif self.tf32:
            before = [part.allow_tf32 for part in _MULTIPLYING]
            _multiply(True, True)
            try:
                yield
            finally:
                _multiply(*before)
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


def multiply_exactly() -> None:
    """Have GPUs multiply float32 as it is, which PyTorch does not by default in convolutions."""
    _multiply(False, False)


def _multiply(*fast: bool) -> None:
    for part, each in zip(_MULTIPLYING, fast, strict=True):
        part.allow_tf32 = each
