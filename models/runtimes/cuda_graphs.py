"""CUDA graphs: the kernels that eager runs, recorded and launched as one.

https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs. Small batches on a GPU wait for Python to launch their
kernels one by one; a recording waits once.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.runtime.runtime import ComputeOptions, Graph, GraphSource
from models.runtimes.eager import RUNTIME as EAGER

Replay = Callable[[], Sequence[Tensor]]
Record = Callable[[Graph, Tensor], Replay]

_PASSES_BEFORE = 3  # after which memory and the choice of kernels have settled


class CudaGraphs:
    """Runtime of NVIDIA GPUs, for pictures of one size."""

    name = "cuda_graphs"
    converts = False
    seconds = 1.0

    def obstacle(self, options: ComputeOptions) -> str | None:
        """Say why it cannot be used with these options here; None where it can."""
        return None if options.device.type == "cuda" else "it computes on NVIDIA GPUs"

    def version(self) -> str:
        """Return nothing: there are no files."""
        return ""

    def convert(self, source: GraphSource, options: ComputeOptions, folder: object) -> None:
        """Do nothing."""

    def load(self, source: GraphSource, folder: object, options: ComputeOptions) -> Graph:
        """Make recordings of `source` when batches ask for them, the weights being those of the network."""
        if source.free != (0,):
            raise ValueError("it records pictures of one size only")
        return Recordings(
            EAGER.load(source, None, options), source.example[0].to(options.device), recorder(options.device)
        )


class Recordings:
    """A graph, recorded anew for each size of batches.

    `picture` is one input on the device, of which there will be many. `record` runs a graph with a batch, and returns
    what runs it again with what is in that batch's memory by then, and leaves its outputs where they were.
    """

    def __init__(self, graph: Graph, picture: Tensor, record: Record) -> None:
        self._graph = graph
        self._picture = picture
        self._record = record
        self._recorded: dict[int, tuple[Tensor, Replay]] = {}

    def __call__(self, inputs: Tensor) -> list[Tensor]:
        """Compute a batch: [N, ...] on any device -> outputs [N, ...] on the graph's."""
        size = len(inputs)
        if size not in self._recorded:
            batch = self._picture.new_zeros((size, *self._picture.shape))
            self._recorded[size] = batch, self._record(self._graph, batch)
        batch, replay = self._recorded[size]
        batch.copy_(inputs, non_blocking=True)
        # the next batch, and those of other sizes, overwrite the outputs
        return [output.clone() for output in replay()]


def recorder(device: torch.device) -> Record:
    """Return what records on a GPU, the memory of all recordings being shared: no two of them run at once."""
    pool = torch.cuda.graph_pool_handle()

    def record(graph: Graph, batch: Tensor) -> Replay:
        with torch.cuda.device(device):
            aside, current = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(current)
            with torch.cuda.stream(aside):
                for _ in range(_PASSES_BEFORE):
                    graph(batch)
            current.wait_stream(aside)
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
