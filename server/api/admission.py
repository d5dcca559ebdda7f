"""AdmittedRequest: a request on a scoring path whose key was checked, with the deployment that it goes to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request

from server.api.state import AppState
from server.codecs.bodies_in_flight import HeldBody
from server.errors import ServiceError
from server.hosted import DEPLOYMENT
from server.inference.deployments import Deployment
from server.protocol import ProtocolRequest


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """A request between its admission and its response. `started` is its arrival, in monotonic seconds.

    `held` counts the bytes of its body.
    """

    request: Request
    state: AppState
    deployment: Deployment
    started: float
    held: HeldBody

    @classmethod
    @contextmanager
    def of(cls, request: Request) -> Iterator["AdmittedRequest"]:
        """Check the key, choose the deployment, and count the request as open until the block ends.

        A `queue_full` that leaves the block is counted, too. ServiceError where the key is wrong, or no deployment can
        be chosen.
        """
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
            with state.bodies.hold() as held:
                yield cls(request, state, deployment, started, held)
        except ServiceError as error:
            if error.code == "queue_full":
                state.metrics.dropped.labels(deployment.name, "queue_full").inc()
            raise
        finally:
            deployment.open_requests -= 1

    @property
    def is_to_script(self) -> bool:
        """Whether it goes to a script, and not to a model."""
        return self.deployment.route.kind == "script"

    @property
    def deadline(self) -> float:
        """When the response is due, in monotonic seconds."""
        return self.started + self.deployment.settings.request_timeout_ms / 1000

    def protocol_request(self) -> ProtocolRequest:
        """Return the request as a protocol sees it, without content yet; ServiceError before its model is loaded."""
        model, request = self.deployment.model, self.request
        if not model.architecture:  # what a valid request is depends on the model
            raise ServiceError("engine_unavailable", f"No model can score now: {self.deployment.engines.reason}.")
        max_images = self.deployment.settings.max_images
        return ProtocolRequest(
            None, request.scope["route"].path, request.path_params, request.headers, model, max_images
        )
