"""SharedImages: memory for a batch of pictures that an engine and one of its decode workers both see."""

import logging
import mmap
import os
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

logger = logging.getLogger(__name__)


class SharedImages:
    """Room for pictures, `pictures`: uint8 [N, ...], in the file `descriptor` that exists in memory only.

    The file lives as long as a process has it open. Linux only.
    """

    def __init__(self, descriptor: int, shape: Sequence[int]) -> None:
        self.descriptor = descriptor
        memory = mmap.mmap(descriptor, torch.Size(shape).numel())
        self.pictures: Tensor = torch.frombuffer(memory, dtype=torch.uint8).view(*shape)

    @classmethod
    def make(cls, shape: Sequence[int]) -> Self:
        """Make room for pictures of `shape`: [N, ...]."""
        descriptor = os.memfd_create("pictures")
        os.truncate(descriptor, torch.Size(shape).numel())
        return cls(descriptor, shape)

    def pin(self, device: torch.device) -> None:
        """Have it stay in place, so that the GPU `device` copies from it by itself."""
        with torch.cuda.device(device):
            found = torch.cuda.cudart().cudaHostRegister(  # type: ignore[no-untyped-call]
                self.pictures.data_ptr(), self.pictures.numel(), 0
            )
        if int(found) != 0:
            logger.warning("pictures of decode workers are copied twice: cudaHostRegister said %d", int(found))
