"""What tests of the pipeline share: one around a fake model, and the replies of requests."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from models.images.decoding import ImageLimits
from server.engine.device import Device
from server.engine.pipeline.pipeline import Pipeline
from server.engine.scheduling.scheduler import Limits, Scheduler
from server.engine.workers.isolated_decoder import IsolatedDecoder
from server.ipc.outcome import Failure, Reply
from server.metrics import DeploymentMetrics, Metrics
from tests.support.engines.fake_model import FakeModel


class Bench:
    """A pipeline around a fake model, with its replies."""

    def __init__(self, model: FakeModel, **bounds: float) -> None:
        defaults = {"max_images": 4, "max_cost": 400, "decoders": 2}
        self.model = model
        self.metrics = Metrics()
        self.broken = threading.Event()
        self.scheduler = Scheduler(Limits(**(defaults | bounds)), {"score": 1.0})  # type: ignore[arg-type]
        limits = ImageLimits(10**6, 10**6)
        self.pipeline = Pipeline(
            Device(model),
            None,
            ThreadPoolExecutor(1),
            self.scheduler,
            limits,
            isolated=IsolatedDecoder(limits, 10.0),
            metrics=DeploymentMetrics(self.metrics, "fake"),
            cpu_threads=2,
            broken=self.broken.set,
            wake=self.wake,
        )

    def wake(self, at: float) -> None:
        timer = threading.Timer(max(0.0, at - time.monotonic()), self.pipeline.tick)
        timer.daemon = True
        timer.start()

    def submit(self, images: Sequence[bytes], within_s: float = 10, inputs: int = 1) -> "Pending":
        pending = Pending()
        settings = {index: {"inputs": inputs} for index in range(len(images))}
        deadline = time.monotonic() + within_s
        pending.number = self.pipeline.submit(images, deadline, pending.answer, settings=settings)
        return pending


class Pending:
    """One request's reply, when it comes."""

    def __init__(self) -> None:
        self.number: int | float = 0
        self.at = float("inf")
        self._reply: list[Reply] = []
        self._arrived = threading.Event()

    def answer(self, reply: Reply) -> None:
        self.at = time.monotonic()
        self._reply.append(reply)
        self._arrived.set()

    def wait(self, within_s: float = 10) -> Reply:
        assert self._arrived.wait(within_s), "no reply"
        assert len(self._reply) == 1, "more than one reply"
        return self._reply[0]

    @property
    def arrived(self) -> bool:
        return self._arrived.is_set()


def codes(reply: Reply) -> list[str]:
    return [outcome.code if isinstance(outcome, Failure) else "ok" for outcome in reply.outcomes]
