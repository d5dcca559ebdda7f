"""DecodeWorkers: processes that decode pictures for an engine and bring it whole batches of them.

One process of Python decodes and schedules fewer pictures than a GPU scores. To those who ask them, feeders are engines
themselves; but they have no network, and their batches are computed by the engine that started them.
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

AT_ONCE = 2  # batches of a feeder: while one is computed, what is decoded meanwhile waits as the next
_COMMAND = (sys.executable, "-m", "server.engine")
_CORES = 4  # for each feeder, which it keeps busy with decoding


def decode_workers_wanted(model: LoadedModel, settings: ServerSettings) -> int:
    """Return how many feeders the engine of a model shall have: none where it finds objects, which takes longer."""
    if not isinstance(model, Classifier):
        return 0
    if settings.feeders != "auto":
        return settings.feeders
    return cpu_threads(settings) // _CORES if model.device.type == "cuda" else 0


class DecodeWorkers:
    """DecodeWorkers of the engine that `launch` started, which computes batches of up to `most` pictures with `model`.

    `timings` are the pictures in a batch and its seconds. Together the feeders fill a batch.
    """

    def __init__(
        self, launch: ProcessConfig, model: Classifier, timings: Sequence[tuple[int, float]], *, count: int, most: int
    ) -> None:
        share = math.ceil(most / count)
        threads = math.ceil(cpu_threads(launch.settings) / count)
        # the engine waits for fuller batches, as it sees what all of them bring
        own = {"cpu_threads": threads, "max_batch_images": share, "max_delay_ms": 0}
        self._launch = launch.model_copy(update={"settings": launch.settings.model_copy(update=own)})
        shape = AT_ONCE, share, *model.example(1)[0].shape
        self._shared = [SharedImages.make(shape) for _ in range(count)]
        if model.device.type == "cuda":
            for shared in self._shared:
                shared.pin(model.device)
        self._runtime, self._timings = model.runtime, tuple(timings)
        self.addresses = [launch.address.with_suffix(f".feeder-{number}") for number in range(count)]

    def start(self, ended: Callable[[Child, int], None]) -> None:
        """Start them from the running event loop, and keep them alive; `ended` is told of each that ended by itself."""
        self._children = [
            Child("feeder", _COMMAND, partial(self.launch, number), ended=ended)
            for number in range(len(self.addresses))
        ]
        for child in self._children:
            child.start()

    def batch(self, number: int, place: int, pictures: int) -> Tensor:
        """Return the pictures that a feeder has put at one of AT_ONCE places in the memory that it shares: [N, ...]."""
        return self._shared[number].pictures[place, :pictures]

    def launch(self, number: int) -> ProcessConfig:
        """Return what a feeder is started with."""
        shared = self._shared[number]
        feeding = DecodeWorkerConfig(
            number=number,
            engine=self._launch.address,
            runtime=self._runtime,
            pictures=shared.descriptor,
            shape=tuple(shared.pictures.shape),
            timings=self._timings,
        )
        return self._launch.model_copy(update={"address": self.addresses[number], "feeding": feeding})
