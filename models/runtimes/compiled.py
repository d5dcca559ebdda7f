"""PyTorch's own compiler, ahead of time: it fuses layers into C++ or Triton code that is built on this machine.

Inductor: Ansel et al., https://pytorch.org/assets/pytorch2-2.pdf.
"""

import logging
import os
import shutil
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from models.runtime.contention import Contention
from models.runtime.runtime import ComputeOptions, Graph, GraphSource
from models.runtime.side_by_side import side_by_side
from models.runtimes.eager import folded_graph

_FILE = "graph.pt2"
_LARGEST_BATCH = 4096  # images


class Compiled:
    """Runtime that needs a C++ compiler. Its files are a library that is loaded into the process."""

    name = "compiled"
    converts = True
    seconds = 60.0

    def unavailable_reason(self, options: ComputeOptions) -> str | None:
        """Return why it cannot be used with these options on this machine; None where it can."""
        compiler = os.environ.get("CXX", "g++")
        return None if shutil.which(compiler) else f"there is no C++ compiler {compiler!r} here"

    def version(self) -> str:
        """Return the version of PyTorch."""
        return str(torch.__version__)

    def convert(self, source: GraphSource, options: ComputeOptions, folder: Path) -> None:
        """Export the module and build its code, with the weights in the memory layout of its kernels."""
        if source.free != (0,):
            # at sizes other than the example's, such code has computed wrong values
            raise ValueError("its code is right for pictures of one size only")
        example = source.example.to(options.device)
        batch = {0: torch.export.Dim.DYNAMIC(min=1, max=_LARGEST_BATCH)}
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
        """Load the library.

        Its threads share every batch: threads with parts of their own are slower here. So where other programs compute
        on the same cores, the network's layers take its place, with a part of the batch for each thread.
        """
        assert folder is not None
        # it warns on machines without a GPU
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        model = torch._inductor.aoti_load_package(str(folder / _FILE))

        def graph(inputs: Tensor) -> tuple[Tensor, ...]:
            # the code assumes the memory layout of the example
            outputs = model(inputs.to(options.device).contiguous())
            return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)

        if options.device.type != "cpu" or options.threads == 1 or source.steady:
            return graph
        contention = Contention(options.threads)
        layers = partial(side_by_side(options.threads).compute, folded_graph(source, options))
        return lambda inputs: contention.run(inputs.numel(), partial(graph, inputs), partial(layers, inputs))


RUNTIME = Compiled()
