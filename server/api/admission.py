"""AdmittedRequest: a request at one of the doors that was let in, and who is to answer it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request

from server.api.state import AppState
from server.errors import ServiceError
from server.hosted import DEPLOYMENT
from server.inference.deployments import Deployment
from server.protocol import ProtocolRequest


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """`started` is when it came, in monotonic seconds."""

    request: Request
    state: AppState
    deployment: Deployment
    started: float

    @classmethod
    @contextmanager
    def of(cls, request: Request) -> Iterator["AdmittedRequest"]:
        """Let a request in until it is answered, or refused, which is counted; ServiceError where nobody may answer."""
        state = AppState.of(request)
        started = time.monotonic()
        state.keys.check(request.headers.get("authorization"))
        if (name := request.path_params.get("model")) is not None:
            deployment = state.deployments.named(name, request.path_params.get("version"))
        else:
            deployment = state.deployments.choose(request.headers.get(DEPLOYMENT))
        request.state.facts["deployment"] = deployment.name
        deployment.open_requests += 1
        try:
            yield cls(request, state, deployment, started)
        except ServiceError as error:
            if error.code == "queue_full":
                state.metrics.dropped.labels(deployment.name, "queue_full").inc()
            raise
        finally:
            deployment.open_requests -= 1

    @property
    def is_to_script(self) -> bool:
        """Whether a script is to answer, and not a model."""
        return self.deployment.route.kind == "script"

    @property
    def deadline(self) -> float:
        """When it has to be answered, in monotonic seconds."""
        return self.started + self.deployment.settings.request_timeout_ms / 1000

    def protocol_request(self) -> ProtocolRequest:
        """Return it as a contract sees it, but for what it holds; ServiceError before its model is loaded."""
        model, request = self.deployment.model, self.request
        if not model.architecture:  # before it is loaded nobody knows what a request to it has to look like
            raise ServiceError("engine_unavailable", f"No model can score now: {self.deployment.engines.reason}.")
        most = self.deployment.settings.max_images
        return ProtocolRequest(None, request.scope["route"].path, request.path_params, request.headers, model, most)
