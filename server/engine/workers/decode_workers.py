"""DecodeWorkers: processes that decode pictures for an engine and bring it whole batches of them.

One Python process decodes and schedules fewer images than a GPU scores. To HTTP processes a decode worker looks like an
engine, but it has no network: the engine that started it computes its batches.
"""

import math
import sys
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from models.classifier import Classifier
from models.loaded import LoadedModel
from server.cores import cpu_threads
from server.engine.workers.shared_images import SharedImages
from server.ipc.parent_pipe import DecodeWorkerConfig, ProcessConfig
from server.supervisor.child import Child
from settings.server import ServerSettings

AT_ONCE = 2  # batches of a decode worker: while one is computed, what is decoded meanwhile waits as the next
_COMMAND = (sys.executable, "-m", "server.engine")
_CORES = 4  # for each decode worker, which it keeps busy with decoding


def decode_workers_wanted(model: LoadedModel, settings: ServerSettings) -> int:
    """Return how many decode workers an engine gets: none for a detector, whose forward pass takes longer."""
    if not isinstance(model, Classifier):
        return 0
    if settings.decode_workers != "auto":
        return settings.decode_workers
    return cpu_threads(settings) // _CORES if model.device.type == "cuda" else 0


class DecodeWorkers:
    """DecodeWorkers of the engine that `config` started, which computes batches of up to `most` pictures with `model`.

    `timings` are the pictures in a batch and its seconds. Together the decode workers fill a batch.
    """

    def __init__(
        self, config: ProcessConfig, model: Classifier, timings: Sequence[tuple[int, float]], *, count: int, most: int
    ) -> None:
        share = math.ceil(most / count)
        threads = math.ceil(cpu_threads(config.settings) / count)
        # the engine waits for fuller batches, as it sees what all of them bring
        own = {"cpu_threads": threads, "max_batch_images": share, "max_delay_ms": 0}
        self._config = config.model_copy(update={"settings": config.settings.model_copy(update=own)})
        shape = AT_ONCE, share, *model.example(1)[0].shape
        self._shared = [SharedImages.make(shape) for _ in range(count)]
        if model.device.type == "cuda":
            for shared in self._shared:
                shared.pin(model.device)
        self._runtime, self._timings = model.runtime, tuple(timings)
        self.addresses = [config.address.with_suffix(f".decode-worker-{number}") for number in range(count)]

    def start(self, ended: Callable[[Child, int], None]) -> None:
        """Start them from the running event loop, and keep them alive; `ended` is told of each that ended by itself."""
        self._children = [
            Child("decode_worker", _COMMAND, partial(self.config, number), ended=ended)
            for number in range(len(self.addresses))
        ]
        for child in self._children:
            child.start()

    def batch(self, number: int, place: int, pictures: int) -> Tensor:
        """Return the images that a decode worker has put into one of AT_ONCE slots of its shared memory: [N, ...]."""
        return self._shared[number].pictures[place, :pictures]

    def config(self, number: int) -> ProcessConfig:
        """Return what a decode worker is started with."""
        shared = self._shared[number]
        worker = DecodeWorkerConfig(
            number=number,
            engine=self._config.address,
            runtime=self._runtime,
            pictures=shared.descriptor,
            shape=tuple(shared.pictures.shape),
            timings=self._timings,
        )
        return self._config.model_copy(update={"address": self.addresses[number], "decode_worker": worker})
