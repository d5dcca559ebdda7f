"""DecodeWorkers: processes that decode images for an engine and submit whole batches to it.

One Python process decodes and schedules fewer images than a GPU scores. HTTP processes use a decode worker like an
engine, but it has no network: the engine that started it computes its batches.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from models.classifier import Classifier
from models.loaded import LoadedModel
from server.cores import cpu_threads
from server.engine.workers.shared_images import SharedImages
from server.ipc.parent_pipe import hang_limit_s
from server.ipc.process_config import DecodeWorkerConfig, ProcessConfig
from server.supervisor.child import Child
from settings.module_command import module_command
from settings.server import ServerSettings

SLOTS = 2  # batches of one worker in shared memory: while one is computed, the next is filled
_COMMAND = module_command("server.engine")
_CORES_PER_WORKER = 4  # that a decode worker keeps busy


def decode_worker_count(model: LoadedModel, settings: ServerSettings) -> int:
    """Return the number of decode workers of an engine: 0 for a detector, whose forward pass takes longer."""
    if not isinstance(model, Classifier):
        return 0
    if settings.decode_workers != "auto":
        return settings.decode_workers
    return cpu_threads(settings) // _CORES_PER_WORKER if model.device.type == "cuda" else 0


class DecodeWorkers:
    """The decode workers of one engine, which computes batches of up to `max_images` with `model`.

    `timings` are the (images, seconds) of batches. Together the workers fill one batch.
    """

    def __init__(
        self,
        config: ProcessConfig,
        model: Classifier,
        timings: Sequence[tuple[int, float]],
        *,
        count: int,
        max_images: int,
    ) -> None:
        share = math.ceil(max_images / count)
        threads = math.ceil(cpu_threads(config.settings) / count)
        # the engine alone waits for fuller batches, since it gets the images of all workers
        own = {"cpu_threads": threads, "max_batch_images": share, "max_delay_ms": 0}
        self._config = config.model_copy(update={"settings": config.settings.model_copy(update=own)})
        shape = SLOTS, share, *model.example(1)[0].shape
        self._shared = [SharedImages.make(shape) for _ in range(count)]
        if model.device.type == "cuda":
            for shared in self._shared:
                shared.pin(model.device)
        self._runtime, self._timings = model.runtime, tuple(timings)
        self.addresses = [config.address.with_suffix(f".decode-worker-{number}") for number in range(count)]

    def start(self, ended: Callable[[Child, int], None]) -> None:
        """Start the workers on the running event loop, and keep them alive. `ended` is called when one has ended."""
        self._children = [
            Child(
                "decode worker",
                _COMMAND,
                partial(self.config, number),
                ended=ended,
                silence_s=hang_limit_s(self._config.settings),
            )
            for number in range(len(self.addresses))
        ]
        for child in self._children:
            child.start()

    def batch(self, number: int, slot: int, images: int) -> Tensor:
        """Return the images in one of the slots that the engine shares with worker `number`: uint8 [images, ...]."""
        return self._shared[number].images[slot, :images]

    def config(self, number: int) -> ProcessConfig:
        """Return the configuration with which worker `number` is started."""
        shared = self._shared[number]
        worker = DecodeWorkerConfig(
            number=number,
            engine=self._config.address,
            runtime=self._runtime,
            images=shared.descriptor,
            shape=tuple(shared.images.shape),
            timings=self._timings,
        )
        return self._config.model_copy(update={"address": self.addresses[number], "decode_worker": worker})
