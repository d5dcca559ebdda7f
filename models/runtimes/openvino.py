"""OpenVINO (https://docs.openvino.ai): one graph for the whole network, computed on CPUs by oneDNN and its own kernels.

Pictures go in as bytes; changing their layout and normalising them are part of the graph.
"""

import importlib.metadata
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.runtime import Graph, Terms, Work

_FILE = "graph.xml"
_IDLE = 1 / 8  # of the threads' time, at most, as parts of a batch that differ in size leave it
_PRECISION = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
_CAPABILITY = {torch.float32: "FP32", torch.bfloat16: "BF16", torch.float16: "FP16"}


class OpenVino:
    """Runtime of the extra `openvino`."""

    name = "openvino"
    converts = True
    seconds = 10.0

    def obstacle(self, terms: Terms) -> str | None:
        """Say why it cannot be used on these terms here; None where it can."""
        if terms.device.type != "cpu":
            return "it computes on CPUs"
        if find_spec("openvino") is None:
            return "it is not installed: pip install openvino"
        able = _library().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if _CAPABILITY[terms.precision.dtype] not in able:
            return f"this processor does not compute in {_CAPABILITY[terms.precision.dtype].lower()}"
        return None

    def version(self) -> str:
        """Return the version of the library."""
        return importlib.metadata.version("openvino") if find_spec("openvino") else "none"

    def convert(self, work: Work, terms: Terms, folder: Path) -> None:
        """Trace the module with its example and save the graph, weights in float32."""
        openvino = _library()
        shape = [-1 if place in work.free else length for place, length in enumerate(work.example.shape)]
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about values that are meant to be constant
            graph = openvino.convert_model(work.module.eval(), example_input=work.example, input=[shape])
        openvino.save_model(graph, folder / _FILE, compress_to_fp16=False)

    def load(self, work: Work, folder: Path | None, terms: Terms) -> Graph:
        """Compile the graph for this processor."""
        assert folder is not None
        return _Graph(_library().Core().read_model(folder / _FILE), terms)


class _Graph:
    """Has all threads compute a small batch together, and a large one in parts, each by a thread of its own.

    Threads that compute one picture together wait for each other after every layer, and for one that lost its core
    meanwhile; those with pictures of their own do so once. What computes parts is made when the first are there.
    """

    def __init__(self, model: Any, terms: Terms) -> None:
        self._model = model
        self._terms = terms
        self._together = self._requests(1)
        self._apart: Sequence[Any] = ()

    def __call__(self, inputs: Tensor) -> list[Tensor]:
        pictures, threads = inputs.contiguous().numpy(), self._terms.threads
        largest = -(-len(pictures) // threads)
        if threads == 1 or len(pictures) < 2 * threads or threads * largest > (1 + _IDLE) * len(pictures):
            return self._computed(self._together, [pictures])
        self._apart = self._apart or self._requests(threads)
        return self._computed(self._apart, np.array_split(pictures, threads))

    def _computed(self, requests: Sequence[Any], parts: Sequence[np.ndarray[Any, Any]]) -> list[Tensor]:
        for request, part in zip(requests, parts, strict=True):
            request.start_async([part], share_inputs=True)
        for request in requests:
            request.wait()
        # a copy, as the next batch overwrites what a request gives out
        found = (
            np.concatenate([request.get_output_tensor(place).data for request in requests])
            for place in range(len(self._model.outputs))
        )
        return [torch.from_numpy(output) for output in found]

    def _requests(self, count: int) -> list[Any]:
        options = {
            # by default some processors compute in a smaller type than they are asked to
            "INFERENCE_PRECISION_HINT": _PRECISION[self._terms.precision.dtype],
            "INFERENCE_NUM_THREADS": self._terms.threads,
            "NUM_STREAMS": count,
            # in a container the cores that it would pin threads to may be those of others
            "ENABLE_CPU_PINNING": False,
        }
        compiled = _library().Core().compile_model(self._model, "CPU", options)
        return [compiled.create_infer_request() for _ in range(count)]


def _library() -> Any:
    # the library tells its makers of every use, but for where the package that does so is missing
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # an extra, and slow to import

    return openvino


RUNTIME = OpenVino()
