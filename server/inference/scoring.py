"""score(): the protocol-neutral verb. Images in, outcomes out, with one rule for images that cannot be scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from explain.request.parameters import ExplanationParameters
from server.errors import IMAGE_CODES, ServiceError
from server.ipc.outcome import Failure, Outcome, Reply
from server.ipc.pool import EnginePool

BadImages = Literal["reject", "report", "drop"]


@dataclass(frozen=True, slots=True)
class ImageInput:
    """An encoded image, and what the request wants for it beside its score with the model's settings.

    `explain` holds the `xai_parameters` if the image is to be explained; `settings` the `inference_parameters`, which
    only the model can check.
    """

    data: bytes
    explain: ExplanationParameters | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


async def score(
    engines: EnginePool, images: Sequence[ImageInput | Failure], bad_images: BadImages, deadline: float
) -> Reply:
    """Score the images in order before `deadline` (monotonic seconds); a Failure stands for one that is not readable.

    `bad_images` decides about images that cannot be scored: `reject` raises ServiceError `image_invalid` with the
    position and reason of each, `report` leaves their Failure in the outcomes, `drop` removes it. A failure that is not
    the image's fault always raises.
    """
    unreadable = {index: image for index, image in enumerate(images) if isinstance(image, Failure)}
    if unreadable and bad_images == "reject":
        raise _rejected(unreadable, len(images))
    readable = [image for image in images if not isinstance(image, Failure)]
    explain = {index: image.explain.fields() for index, image in enumerate(readable) if image.explain is not None}
    settings = {index: image.settings for index, image in enumerate(readable) if image.settings}
    encoded = [image.data for image in readable]
    reply = await engines.score(encoded, deadline, explain, settings) if encoded else Reply([], {})
    scored = iter(reply.outcomes)
    outcomes: list[Outcome] = [image if isinstance(image, Failure) else next(scored) for image in images]
    failures = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, Failure)}
    for index, failure in failures.items():
        if failure.code not in IMAGE_CODES:
            raise ServiceError(failure.code, failure.message, details=_details({index: failure}))
    if failures and bad_images == "reject":
        raise _rejected(failures, len(images))
    if bad_images == "drop":
        outcomes = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    return Reply(outcomes, reply.stages)


def _rejected(failures: dict[int, Failure], count: int) -> ServiceError:
    first, failure = next(iter(failures.items()))
    more = f" {len(failures) - 1} more are listed in details." if len(failures) > 1 else ""
    return ServiceError(
        "image_invalid",
        f"{len(failures)} of {count} pictures cannot be scored. Position {first}: {failure.message}{more}",
        details=_details(failures),
    )


def _details(failures: dict[int, Failure]) -> list[dict[str, object]]:
    return [
        {"position": index, "code": failure.code, "message": failure.message} for index, failure in failures.items()
    ]
