"""AdmittedRequest: a request to score whose key was checked, with the deployment that it goes to, however it came."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers

from server.api.state import AppState
from server.codecs.bodies_in_flight import HeldBody
from server.errors import ServiceError
from server.hosted import DEPLOYMENT
from server.inference.deployments import Deployment
from server.protocol import ProtocolRequest


@dataclass(frozen=True, slots=True)
class AdmittedRequest:
    """A request between its admission and its response. `started` is its arrival, in monotonic seconds.

    `held` counts the bytes of its body, and `facts` go into its log line. Its client waits until `client_deadline`,
    also in monotonic seconds.
    """

    state: AppState
    request_id: str
    facts: dict[str, Any]
    deployment: Deployment
    started: float
    held: HeldBody
    client_deadline: float = math.inf

    @classmethod
    def of(cls, request: Request) -> AbstractContextManager["AdmittedRequest"]:
        """Admit an HTTP request by its headers and path; see `admit`."""
        state = AppState.of(request)

        def choose() -> Deployment:
            if (name := request.path_params.get("model")) is not None:
                return state.deployments.named(name, request.path_params.get("version"))
            return state.deployments.choose(request.headers.get(DEPLOYMENT))

        authorization = request.headers.get("authorization")
        return cls.admit(
            state,
            request_id=request.state.request_id,
            facts=request.state.facts,
            started=time.monotonic(),
            authorization=authorization,
            choose=choose,
        )

    @classmethod
    @contextmanager
    def admit(
        cls,
        state: AppState,
        *,
        request_id: str,
        facts: dict[str, Any],
        started: float,
        authorization: str | None,
        choose: Callable[[], Deployment],
        client_deadline: float = math.inf,
    ) -> Iterator["AdmittedRequest"]:
        """Check the key, choose the deployment, and count the request as open until the block ends.

        A `queue_full` that leaves the block is counted, too. ServiceError where the key is wrong, or no deployment can
        be chosen.
        """
        state.keys.check(authorization)
        deployment = choose()
        facts["deployment"] = deployment.name
        deployment.open_requests += 1
        try:
            with state.bodies.hold() as held:
                yield cls(state, request_id, facts, deployment, started, held, client_deadline)
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
        return min(self.started + self.deployment.settings.request_timeout_ms / 1000, self.client_deadline)

    def protocol_request(
        self, route: str, path_parameters: Mapping[str, str], headers: Headers | None = None
    ) -> ProtocolRequest:
        """Return the request as a protocol sees it, without content yet; ServiceError before its model is loaded."""
        model = self.deployment.model
        if not model.architecture:  # what a valid request is depends on the model
            raise ServiceError("engine_unavailable", f"No model can score now: {self.deployment.engines.reason}.")
        max_images = self.deployment.settings.max_images
        return ProtocolRequest(None, route, path_parameters, headers or Headers(), model, max_images)
