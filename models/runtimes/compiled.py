"""PyTorch's own compiler, ahead of time: layers are fused and become C++ or Triton code that is built on this machine.

Inductor: Ansel et al., https://pytorch.org/assets/pytorch2-2.pdf.
"""

import logging
import os
import shutil
from pathlib import Path

import torch
from torch import Tensor

from models.runtime.runtime import ComputeOptions, Graph, GraphSource

_FILE = "graph.pt2"
_MOST = 4096  # pictures in a batch


class Compiled:
    """Runtime that needs a C++ compiler; the files it writes are a library that is loaded into the process."""

    name = "compiled"
    converts = True
    seconds = 60.0

    def obstacle(self, options: ComputeOptions) -> str | None:
        """Say why it cannot be used with these options here; None where it can."""
        compiler = os.environ.get("CXX", "g++")
        return None if shutil.which(compiler) else f"there is no C++ compiler {compiler!r} here"

    def version(self) -> str:
        """Return that of PyTorch."""
        return str(torch.__version__)

    def convert(self, source: GraphSource, options: ComputeOptions, folder: Path) -> None:
        """Export the module and build its code, the weights in it laid out as its kernels read them."""
        if source.free != (0,):
            # such code has been seen to compute something else at other sizes than those of the example
            raise ValueError("its code is right for pictures of one size only")
        example = source.example.to(options.device)
        batch = {0: torch.export.Dim.DYNAMIC(min=1, max=_MOST)}
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            options.precision.applied(options.device),
        ):
            program = torch.export.export(source.module.eval(), (example,), dynamic_shapes=(batch,))
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(folder / _FILE), inductor_configs={"freezing": True}
            )

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        """Load the library."""
        assert folder is not None
        # says on machines without a GPU that there is none
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        model = torch._inductor.aoti_load_package(str(folder / _FILE))

        def graph(inputs: Tensor) -> tuple[Tensor, ...]:
            # it reads them as if they lay like those of the example, whatever they say
            found = model(inputs.to(options.device).contiguous())
            return (found,) if isinstance(found, Tensor) else tuple(found)

        return graph


RUNTIME = Compiled()
