"""EnginePool: the connections of an HTTP process to all engines of a deployment, and to their decode workers."""

from collections.abc import Sequence
from pathlib import Path

from server.errors import ServiceError
from server.ipc.client import NOTHING, ByIndex, EngineClient, queue_full
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Reply
from server.ipc.raw_http import RawReply, RawRequest


class EnginePool:
    """Each request goes to the ready engine that is predicted to answer it first."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.clients = [EngineClient(path) for path in paths]

    def connect(self) -> None:
        """Connect, and stay connected, on the running event loop."""
        for client in self.clients:
            client.connect()

    @property
    def ready(self) -> bool:
        """Whether any engine is ready."""
        return any(client.ready for client in self.clients)

    @property
    def reason(self) -> str:
        """Why no engine is ready: the reasons of all of them."""
        return "; ".join(client.reason for client in self.clients)

    @property
    def busy(self) -> bool:
        """Whether any request is in flight."""
        return any(client.busy for client in self.clients)

    @property
    def model(self) -> ModelFacts:
        """The facts of the model, the same for all engines; empty before one has loaded it."""
        return next((client.model for client in self.clients if client.model.architecture), ModelFacts())

    async def score(
        self,
        images: Sequence[bytes],
        deadline: float,
        explain: ByIndex = NOTHING,
        settings: ByIndex = NOTHING,
    ) -> Reply:
        """See EngineClient.score."""
        return await self._fastest(len(images), bool(explain)).score(images, deadline, explain, settings)

    @property
    def refusal(self) -> ServiceError | None:
        """The error `queue_full` where all ready engines have just refused to score: then no body need be parsed."""
        full_s = min(
            (client.scoring_client.known_full_s(False) for client in self.clients if client.ready), default=0.0
        )
        return queue_full(full_s) if full_s > 0 else None

    def finish_s(self, images: int) -> float:
        """Predict the seconds until so many more images are scored: see EngineClient."""
        return self._fastest(images, False).finish_s(images, False)

    async def answer(self, request: RawRequest, deadline: float) -> RawReply:
        """See EngineClient.answer."""
        return await self._fastest(1, False).answer(request, deadline)

    def _fastest(self, images: int, explains: bool) -> EngineClient:
        candidates = [client for client in self.clients if client.ready] or self.clients
        engine = min(candidates, key=lambda client: (client.finish_s(images, explains), client.images_in_flight))
        # an idle engine scores a request itself, which is faster than through a decode worker
        return engine if explains or not engine.busy else engine.scoring_client

    def close(self) -> None:
        """Close the connections, which cancels all requests in flight."""
        for client in self.clients:
            client.close()
