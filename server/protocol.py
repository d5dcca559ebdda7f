"""Protocol: how one wire protocol turns a request into images and outcomes into a response."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import Headers

from server.codecs.body import RequestBody, is_json
from server.codecs.outcomes import hosted_objects
from server.errors import ServiceError
from server.inference.deployments import Deployments
from server.inference.scoring import ImageInput
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome


@dataclass(frozen=True, slots=True)
class ProtocolRequest:
    """A request as a protocol sees it.

    `content` is what `parse` made of the body, `route` the path with its parameters in braces. `model` is the model
    that the request goes to, `max_images` the number of images that it may hold.
    """

    content: Any
    route: str = ""
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=Headers)
    model: ModelFacts = field(default_factory=ModelFacts)
    max_images: int = 2**16

    def check_image_count(self, count: int) -> None:
        """Refuse too many images, before any is decoded. ServiceError `too_many_images`."""
        if count > self.max_images:
            message = f"The request holds {count} pictures; this server accepts up to {self.max_images}."
            raise ServiceError("too_many_images", message)


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """The images to score, each with its options, or why it cannot be. `note` is what `write` needs of the request."""

    images: Sequence[ImageInput | Failure]
    note: Any = None


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """The outcomes of the images in their order, without those that `bad_images` drops, and the model they come from.

    `note` is that of the ScoreRequest.
    """

    outcomes: Sequence[Outcome]
    request_id: str
    model: ModelFacts
    version: int | None = None
    note: Any = None


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """The body of a response, and its headers beside the content type."""

    body: bytes
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def _anything(content: Any) -> bool:
    return True


async def _content_of(body: RequestBody) -> Any:
    return await body.content()


@dataclass(frozen=True, slots=True)
class Protocol:
    """A wire contract on POST requests to `paths`, which may have the parameters `model` and `version`.

    The way of a request, in order: `accepts_media_type` checks the content type, and `media_types` tells a client in
    words which are accepted. `parse` turns the body into content. Where several protocols share a path, `matches` tells
    whether the content is meant for this one. `read` turns content into images, `write` outcomes into a body; both are
    pure. `read` raises ServiceError where the content is not of the protocol's form.

    `write_error` writes all errors at `prefix` and below it, given the error and the request id; the status is the
    error's. `router` holds the protocol's other routes. `summary` describes the paths in a sentence, and `openapi` the
    bodies and replies of each. `explain_key` is in every body that asks for explanations, however it is written; where
    it is empty, only `read` can tell.
    """

    name: str
    paths: tuple[str, ...]
    summary: str
    read: Callable[[ProtocolRequest], ScoreRequest]
    write: Callable[[ScoreResult], ResponseBody]
    matches: Callable[[Any], bool] = _anything
    accepts_media_type: Callable[[str], bool] = is_json
    media_types: str = "application/json"
    parse: Callable[[RequestBody], Awaitable[Any]] = _content_of
    explain_key: bytes = b""
    prefix: str | None = None
    write_error: Callable[[ServiceError, str], bytes] | None = None
    router: APIRouter | None = None
    openapi: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def json_array(result: ScoreResult) -> ResponseBody:
    """Write the outcomes as a JSON array, an object for each image."""
    return ResponseBody(b"[" + b", ".join(hosted_objects(result.outcomes, result.model)) + b"]")


def deployments_of(request: Request) -> Deployments:
    """Return the deployments of the application that got `request`, which is all that a protocol's routes need."""
    deployments: Deployments = request.app.state.deployments
    return deployments
