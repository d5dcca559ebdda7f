"""Protocol: how one wire contract turns a request into images and outcomes into a response."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import Headers

from server.codecs.body import RequestBody, is_json
from server.codecs.outcomes import json_objects
from server.errors import ServiceError
from server.inference.deployments import Deployments
from server.inference.scoring import ImageInput
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome


@dataclass(frozen=True, slots=True)
class ProtocolRequest:
    """A request as a contract sees it: what `parse` made of its body, its path with the parameters, its headers.

    `model` is what it is addressed to, and `max_images` the most pictures that it may hold.
    """

    content: Any
    route: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=Headers)
    model: ModelFacts = field(default_factory=ModelFacts)
    max_images: int = 2**16

    def bound(self, count: int) -> None:
        """Refuse too many pictures before each is decoded. ServiceError `too_many_images`."""
        if count > self.max_images:
            message = f"The request holds {count} pictures; this server accepts up to {self.max_images}."
            raise ServiceError("too_many_images", message)


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What a request asks for, and in `note` what `write` has to know of it."""

    images: Sequence[ImageInput | Failure]
    note: Any = None


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What became of the images, in their order, those left out that `bad_images` drops; and who says so."""

    outcomes: Sequence[Outcome]
    request_id: str
    model: ModelFacts
    version: int | None = None
    note: Any = None


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """The body of a reply, and headers beside its content type."""

    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def _anything(content: Any) -> bool:
    return True


async def _as_it_came(body: RequestBody) -> Any:
    return await body.content()


@dataclass(frozen=True, slots=True)
class Protocol:
    """A contract on POST requests to `paths`, which may have a parameter `model` and a parameter `version`.

    `takes` tells whether a content type is accepted, and `types` says in words which are; `parse` makes content of a
    body, of which `accepts` tells whether it is meant for this contract, where several share a path. `read` and `write`
    are pure; `read` raises ServiceError where content is not of the contract's form. `fails` writes errors, of all that
    lies below `prefix`: the status is that of the error. `router` has the contract's other endpoints. `does` describes
    the paths in a sentence, and `openapi` their bodies. `why` is in the body of every request that asks for
    explanations, however it is written; where it is empty, only `read` can tell.
    """

    name: str
    paths: tuple[str, ...]
    does: str
    read: Callable[[ProtocolRequest], ScoreRequest]
    write: Callable[[ScoreResult], ResponseBody]
    accepts: Callable[[Any], bool] = _anything
    takes: Callable[[str], bool] = is_json
    types: str = "application/json"
    parse: Callable[[RequestBody], Awaitable[Any]] = _as_it_came
    why: bytes = b""
    prefix: str | None = None
    fails: Callable[[ServiceError, str], bytes] | None = None
    router: APIRouter | None = None
    openapi: Mapping[str, Any] = field(default_factory=dict)


def json_array(answer: ScoreResult) -> ResponseBody:
    """Write the outcomes as a JSON array, an object for each picture."""
    return ResponseBody(b"[" + b", ".join(json_objects(answer.outcomes)) + b"]")


def deployments_of(request: Request) -> Deployments:
    """Return the deployments of the application that got `request`, which is all that a protocol's routes need."""
    deployments: Deployments = request.app.state.deployments
    return deployments
