"""CUDA graphs: the kernels of the eager runtime, recorded and launched as one.

https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs. Small batches on a GPU wait for Python to launch kernel
after kernel; a recording is launched once.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.runtime.runtime import ComputeOptions, Graph, GraphSource
from models.runtimes.eager import RUNTIME as EAGER

Replay = Callable[[], Sequence[Tensor]]
Record = Callable[[Graph, Tensor], Replay]

_WARM_UP_PASSES = 3  # after which memory and the choice of kernels have settled


class CudaGraphs:
    """Runtime of NVIDIA GPUs, for images of one size."""

    name = "cuda_graphs"
    converts = False
    seconds = 1.0

    def unavailable_reason(self, options: ComputeOptions) -> str | None:
        """Return why it cannot be used with these options on this machine; None where it can."""
        return None if options.device.type == "cuda" else "it computes on NVIDIA GPUs"

    def version(self) -> str:
        """Return nothing: there are no files."""
        return ""

    def convert(self, source: GraphSource, options: ComputeOptions, folder: object) -> None:
        """Do nothing."""

    def load(self, source: GraphSource, folder: object, options: ComputeOptions) -> Graph:
        """Record `source` whenever a batch of a new size arrives. The weights are those of the network."""
        if source.free != (0,):
            raise ValueError("it records pictures of one size only")
        return Recordings(
            EAGER.load(source, None, options), source.example[0].to(options.device), recorder(options.device)
        )


class Recordings:
    """A graph with a recording for each size of batch.

    `example` is one input on the device. `record` runs a graph on a batch and returns a function that runs it again, on
    the values that are in the batch's memory by then, and writes the outputs to the same memory as before.
    """

    def __init__(self, graph: Graph, example: Tensor, record: Record) -> None:
        self._graph = graph
        self._example = example
        self._record = record
        self._recorded: dict[int, tuple[Tensor, Replay]] = {}

    def __call__(self, inputs: Tensor) -> list[Tensor]:
        """Compute a batch: [N, ...] on any device -> outputs [N, ...] on the device of the graph."""
        size = len(inputs)
        if size not in self._recorded:
            batch = self._example.new_zeros((size, *self._example.shape))
            self._recorded[size] = batch, self._record(self._graph, batch)
        batch, replay = self._recorded[size]
        batch.copy_(inputs, non_blocking=True)
        # the next batch, and those of other sizes, overwrite the outputs
        return [output.clone() for output in replay()]


def recorder(device: torch.device) -> Record:
    """Return a function that records on a GPU. All recordings share memory, so no two of them may run at once."""
    pool = torch.cuda.graph_pool_handle()

    def record(graph: Graph, batch: Tensor) -> Replay:
        with torch.cuda.device(device):
            side, current = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
            side.wait_stream(current)
            with torch.cuda.stream(side):
                for _ in range(_WARM_UP_PASSES):
                    graph(batch)
            current.wait_stream(side)
            recording = torch.cuda.CUDAGraph()
            # other threads may allocate pinned memory meanwhile
            with torch.cuda.graph(recording, pool=pool, capture_error_mode="thread_local"):
                outputs = graph(batch)

        def replay() -> Sequence[Tensor]:
            recording.replay()
            return outputs

        return replay

    return record


RUNTIME = CudaGraphs()
