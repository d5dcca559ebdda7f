"""OpenVINO (https://docs.openvino.ai): one graph for the whole network, computed on CPUs by oneDNN and its own kernels.

Images go in as bytes; the graph changes their layout and normalises them.
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

from models.runtime.contention import Contention
from models.runtime.runtime import ComputeOptions, Graph, GraphSource
from models.runtime.split_graph import SplitGraph

_FILE = "graph.xml"
_FEWEST_IMAGES = 2  # for each thread, where each image has one
_PRECISION = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
_CAPABILITY = {torch.float32: "FP32", torch.bfloat16: "BF16", torch.float16: "FP16"}


class OpenVino:
    """Runtime of the extra `openvino`."""

    name = "openvino"
    converts = True
    seconds = 10.0

    def unavailable_reason(self, options: ComputeOptions) -> str | None:
        """Return why it cannot be used with these options on this machine; None where it can."""
        if options.device.type != "cpu":
            return "it computes on CPUs"
        if find_spec("openvino") is None:
            return "it is not installed: pip install openvino"
        capabilities = _library().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if _CAPABILITY[options.precision.dtype] not in capabilities:
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
            warnings.simplefilter("ignore")  # the tracer warns of values that are meant to be constant
            graph = openvino.convert_model(source.module.eval(), example_input=source.example, input=[shape])
        openvino.save_model(graph, folder / _FILE, compress_to_fp16=False)

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        """Compile the graph for this processor."""
        assert folder is not None
        network = _Network(_library().Core().read_model(folder / _FILE), options)
        contention = None if source.steady else Contention(options.threads)
        return SplitGraph(network.together, network.apart, options.threads, contention, fewest_rows=_FEWEST_IMAGES)


class _Network:
    """Computes a batch with all threads at once, or with one thread per image.

    Threads that share an image wait for each other after every layer, also for one that lost its core meanwhile.
    Threads with images of their own wait only at the end of the batch. The second form is compiled for the first batch
    that needs it.
    """

    def __init__(self, model: Any, options: ComputeOptions) -> None:
        self._model = model
        self._options = options
        self._shared = [self._compiled(1).create_infer_request()]
        self._single: Any = None  # computes with one thread
        self._requests: list[Any] = []

    def together(self, inputs: Tensor) -> list[Tensor]:
        """Compute a batch with all threads at once."""
        return self._computed(self._shared, [inputs.contiguous().numpy()])

    def apart(self, inputs: Tensor) -> list[Tensor]:
        """Compute a batch image by image: a thread that is free takes the next."""
        images = inputs.contiguous().numpy()
        self._single = self._single or self._compiled(self._options.threads)
        while len(self._requests) < len(images):
            self._requests.append(self._single.create_infer_request())
        return self._computed(self._requests[: len(images)], np.split(images, len(images)))

    def _computed(self, requests: Sequence[Any], parts: Sequence[np.ndarray[Any, Any]]) -> list[Tensor]:
        with ExitStack() as ends:
            for request, part in zip(requests, parts, strict=True):
                request.start_async([part], share_inputs=True)
                ends.callback(request.wait)  # for all, whichever fails: a batch that is tried again needs them free
        # copied, as the next batch overwrites the outputs of a request
        outputs = (
            np.concatenate([request.get_output_tensor(place).data for request in requests])
            for place in range(len(self._model.outputs))
        )
        return [torch.from_numpy(output) for output in outputs]

    def _compiled(self, streams: int) -> Any:
        options = {
            # by default the library uses a smaller type on some processors
            "INFERENCE_PRECISION_HINT": _PRECISION[self._options.precision.dtype],
            "INFERENCE_NUM_THREADS": self._options.threads,
            "NUM_STREAMS": streams,
            # in a container it would pin threads to cores that may belong to others
            "ENABLE_CPU_PINNING": False,
        }
        return _library().Core().compile_model(self._model, "CPU", options)


def _library() -> Any:
    # the library reports every use to its makers unless this package of its is missing
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # an extra that is slow to import

    return openvino


RUNTIME = OpenVino()
