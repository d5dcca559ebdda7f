"""score(): the protocol-neutral verb. Cells in, outcomes out, with one rule for cells that cannot be scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from explain.request.parameters import ExplanationParameters
from server.errors import IMAGE_CODES, ServiceError
from server.ipc.outcome import Failure, Outcome, Reply
from server.ipc.pool import EnginePool


@dataclass(frozen=True, slots=True)
class ImageInput:
    """A picture of which more is asked than its score with the model's settings.

    `explain` holds the request's `xai_parameters` if the picture is to be explained; `settings` holds its
    `inference_parameters`, which only the model can judge.
    """

    picture: bytes
    explain: ExplanationParameters | None
    settings: Mapping[str, Any]


# what a protocol reads for each picture: its encoded bytes, or why there are none
Cell = bytes | ImageInput | Failure
BadImages = Literal["reject", "report", "drop"]


async def score(engines: EnginePool, cells: Sequence[Cell], bad_images: BadImages, deadline: float) -> Reply:
    """Score the cells in order before `deadline` (monotonic seconds) and deal with bad ones as the setting says.

    `reject` raises ServiceError `image_invalid` naming them all, `report` leaves their Failure in the outcomes,
    `drop` removes it. A failure that is not the picture's fault always raises.
    """
    unreadable = {index: cell for index, cell in enumerate(cells) if isinstance(cell, Failure)}
    if unreadable and bad_images == "reject":
        raise _rejected(unreadable, len(cells))
    readable = [cell for cell in cells if not isinstance(cell, Failure)]
    more = {index: cell for index, cell in enumerate(readable) if isinstance(cell, ImageInput)}
    explain = {index: cell.explain.fields() for index, cell in more.items() if cell.explain is not None}
    settings = {index: cell.settings for index, cell in more.items() if cell.settings}
    pictures = [cell.picture if isinstance(cell, ImageInput) else cell for cell in readable]
    reply = await engines.score(pictures, deadline, explain, settings) if pictures else Reply([], {})
    scored = iter(reply.outcomes)
    outcomes: list[Outcome] = [cell if isinstance(cell, Failure) else next(scored) for cell in cells]
    failures = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, Failure)}
    for index, failure in failures.items():
        if failure.code not in IMAGE_CODES:
            raise ServiceError(failure.code, failure.message, details=_details({index: failure}))
    if failures and bad_images == "reject":
        raise _rejected(failures, len(cells))
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
