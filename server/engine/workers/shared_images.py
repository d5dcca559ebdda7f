"""SharedImages: memory for batches of images, which an engine and one of its decode workers both map."""

import logging
import mmap
import os
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

logger = logging.getLogger(__name__)


class SharedImages:
    """The tensor `images`, uint8 [slots, N, ...], in the file with the number `descriptor`, which is in memory only.

    The file exists as long as a process has it open. Linux only.
    """

    def __init__(self, descriptor: int, shape: Sequence[int]) -> None:
        self.descriptor = descriptor
        memory = mmap.mmap(descriptor, torch.Size(shape).numel())
        self.images: Tensor = torch.frombuffer(memory, dtype=torch.uint8).view(*shape)

    @classmethod
    def make(cls, shape: Sequence[int]) -> Self:
        """Allocate memory for images of `shape`: [slots, N, ...]."""
        descriptor = os.memfd_create("images")
        os.truncate(descriptor, torch.Size(shape).numel())
        return cls(descriptor, shape)

    def pin(self, device: torch.device) -> None:
        """Page-lock the memory, so that the GPU `device` copies from it directly."""
        with torch.cuda.device(device):
            status = torch.cuda.cudart().cudaHostRegister(  # type: ignore[no-untyped-call]
                self.images.data_ptr(), self.images.numel(), 0
            )
        if int(status) != 0:
            logger.warning("shared memory not page-locked, images are copied twice cudaHostRegister=%d", int(status))
