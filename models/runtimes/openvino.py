"""OpenVINO (https://docs.openvino.ai): one graph for the whole network, computed on CPUs by oneDNN and its own kernels.

Pictures go in as bytes; changing their layout and normalising them are part of the graph.
"""

import importlib.metadata
import sys
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.runtime.runtime import ComputeOptions, Graph, GraphSource

_FILE = "graph.xml"
_IDLE = 1 / 6  # of the threads' time, at most, where the pictures of a batch cannot be shared out evenly
_PRECISION = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
_CAPABILITY = {torch.float32: "FP32", torch.bfloat16: "BF16", torch.float16: "FP16"}


class OpenVino:
    """Runtime of the extra `openvino`."""

    name = "openvino"
    converts = True
    seconds = 10.0

    def obstacle(self, options: ComputeOptions) -> str | None:
        """Say why it cannot be used with these options here; None where it can."""
        if options.device.type != "cpu":
            return "it computes on CPUs"
        if find_spec("openvino") is None:
            return "it is not installed: pip install openvino"
        able = _library().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if _CAPABILITY[options.precision.dtype] not in able:
            return f"this processor does not compute in {_CAPABILITY[options.precision.dtype].lower()}"
        return None

    def version(self) -> str:
        """Return the version of the library."""
        return importlib.metadata.version("openvino") if find_spec("openvino") else "none"

    def convert(self, source: GraphSource, options: ComputeOptions, folder: Path) -> None:
        """Trace the module with its example and save the graph, weights in float32."""
        openvino = _library()
        shape = [-1 if place in source.free else length for place, length in enumerate(source.example.shape)]
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about values that are meant to be constant
            graph = openvino.convert_model(source.module.eval(), example_input=source.example, input=[shape])
        openvino.save_model(graph, folder / _FILE, compress_to_fp16=False)

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        """Compile the graph for this processor."""
        assert folder is not None
        return _Graph(_library().Core().read_model(folder / _FILE), options)


class _Graph:
    """Has all threads compute a small batch together, and a large one apart: a thread that is free takes a picture.

    Threads that compute one picture together wait for each other after every layer, and for one that lost its core
    meanwhile; those with pictures of their own only at the end of the batch. What computes them apart is made when the
    first large batch is there.
    """

    def __init__(self, model: Any, options: ComputeOptions) -> None:
        self._model = model
        self._options = options
        together = self._compiled(1)
        self._together = [together.create_infer_request()]
        self._single: Any = None  # computes with one thread
        self._apart: list[Any] = []

    def __call__(self, inputs: Tensor) -> list[Tensor]:
        pictures, threads = inputs.contiguous().numpy(), self._options.threads
        turns = -(-len(pictures) // threads)
        if threads == 1 or turns < 2 or threads * turns > (1 + _IDLE) * len(pictures):
            return self._computed(self._together, [pictures])
        self._single = self._single or self._compiled(threads)
        while len(self._apart) < len(pictures):
            self._apart.append(self._single.create_infer_request())
        return self._computed(self._apart[: len(pictures)], np.split(pictures, len(pictures)))

    def _computed(self, requests: Sequence[Any], parts: Sequence[np.ndarray[Any, Any]]) -> list[Tensor]:
        with ExitStack() as ends:
            for request, part in zip(requests, parts, strict=True):
                request.start_async([part], share_inputs=True)
                ends.callback(request.wait)  # for all of them, whichever fails: a batch that is tried again needs them
        # a copy, as the next batch overwrites what a request gives out
        found = (
            np.concatenate([request.get_output_tensor(place).data for request in requests])
            for place in range(len(self._model.outputs))
        )
        return [torch.from_numpy(output) for output in found]

    def _compiled(self, streams: int) -> Any:
        options = {
            # by default some processors compute in a smaller type than they are asked to
            "INFERENCE_PRECISION_HINT": _PRECISION[self._options.precision.dtype],
            "INFERENCE_NUM_THREADS": self._options.threads,
            "NUM_STREAMS": streams,
            # in a container the cores that it would pin threads to may be those of others
            "ENABLE_CPU_PINNING": False,
        }
        return _library().Core().compile_model(self._model, "CPU", options)


def _library() -> Any:
    # the library tells its makers of every use, but for where the package that does so is missing
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # an extra, and slow to import

    return openvino


RUNTIME = OpenVino()
