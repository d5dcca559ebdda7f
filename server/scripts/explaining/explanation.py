"""Has a script score a request, and then explains the cells that ask for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from explain.errors import ExplanationError
from explain.request.label_positions import PREDICTED, label_position
from explain.request.parameters import ExplanationParameters, read_parameters
from explain.request.requested_box import RequestedBox
from models.errors import ImageError
from models.images.decoding import ImageLimits
from server.codecs.base64_image import decode_base64
from server.errors import ServiceError
from server.ipc.frame import Frame, FrameKind
from server.ipc.outcome import Failure
from server.ipc.raw_http import RawReply, RawRequest
from server.scripts.explaining.cells import ExplainedCell, explained_cells
from server.scripts.explaining.explanation_keys import explanation_keys
from server.scripts.explaining.masked_picture import MaskedPicture
from server.scripts.explaining.script_scores import EXPLANATION_KEYS, ScriptReply, ScriptScores
from settings.server import ServerSettings

# queues a request for the script, and returns its reply
RunScript = Callable[[Frame], Awaitable[Frame]]

_LEFT_FOR_WRITING = 0.2  # of the time until the deadline, but at most so many seconds:
_MOST_FOR_WRITING_S = 1.0
_RETRY_S = 0.1  # at least, while the queue is full


class _RunError(Exception):
    """The script failed on a masked image, as `frame` says."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame


async def explained(request: Frame, run: RunScript, settings: ServerSettings) -> Frame:
    """Have the script score a request, and return its reply with explanations, or a refusal.

    A reply is returned as it is where no cell asks for an explanation, where the script failed, and where the script
    explains by itself, as its keys tell.
    """
    cells = await asyncio.to_thread(explained_cells, request.blobs[0])
    frame = await run(request)
    if not cells or frame.kind is not FrameKind.RESULT:
        return frame
    raw = RawReply.of(frame)
    if raw.failed or raw.status != 200:
        return frame
    started = time.monotonic()
    try:
        reply = ScriptReply.of(raw.body)
        if any(isinstance(one, dict) and EXPLANATION_KEYS & one.keys() for one in reply.objects):
            return frame
        await _ScriptExplanation(request, run, settings).add_to(reply, cells)
        stages = {**raw.stages, "explain": time.monotonic() - started}
        return replace(raw, body=await asyncio.to_thread(reply.written), stages=stages).frame(frame.number)
    except _RunError as error:
        return error.frame
    except (ServiceError, ExplanationError) as error:
        return Frame(FrameKind.REFUSED, request.number, {"code": error.code, "message": str(error)})


class _ScriptExplanation:
    def __init__(self, request: Frame, run: RunScript, settings: ServerSettings) -> None:
        self._request = request
        self._run = run
        self._workers = settings.workers
        self._limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels)
        left = float(request.fields["deadline"]) - time.monotonic()
        self._end = time.monotonic() + left - min(_MOST_FOR_WRITING_S, _LEFT_FOR_WRITING * left)

    async def add_to(self, reply: ScriptReply, cells: Sequence[ExplainedCell]) -> None:
        """Explain the cells one after the other, each in an equal part of the time that is left."""
        asked = [(cell, reply.scores(cell.row), parameters_of(cell)) for cell in cells]
        for position, (cell, scores, parameters) in enumerate(asked):
            targets = targets_of(parameters, scores)
            picture = await asyncio.to_thread(self._picture, cell, parameters)
            now = time.monotonic()
            end = now + (self._end - now) / (len(asked) - position)
            if parameters.explain_budget_ms is not None:
                end = min(end, now + parameters.explain_budget_ms / 1000)
            in_time = await self._sample(picture, cell, targets, len(scores.probs), end)
            keys = await asyncio.to_thread(
                partial(explanation_keys, picture, scores, targets, parameters, in_time=in_time)
            )
            reply.objects[cell.row] = {**reply.objects[cell.row], **keys}

    def _picture(self, cell: ExplainedCell, parameters: ExplanationParameters) -> MaskedPicture:
        data = decode_base64(cell.image)
        try:
            if isinstance(data, Failure):
                raise ImageError(data.code, data.message)
            return MaskedPicture(data, self._limits, parameters)
        except ImageError as error:
            raise ServiceError("image_invalid", f"The picture in row {cell.row} cannot be explained: {error}") from None

    async def _sample(
        self, picture: MaskedPicture, cell: ExplainedCell, targets: Sequence[int], count: int, end: float
    ) -> bool:
        """Have the script score masked copies, one for each of its processes at a time; whether the time sufficed."""
        sampling, started = picture.sampling, time.monotonic()
        while sampling.goes_on:
            numbers = sampling.next_round
            for first in range(numbers.start, numbers.stop, self._workers):
                chunk = range(first, min(first + self._workers, numbers.stop))
                found = await asyncio.gather(*(self._probs(picture, cell, targets, count, number) for number in chunk))
                for number, probs in zip(chunk, found, strict=True):
                    sampling.add(number, probs)
                now = time.monotonic()
                if now + (now - started) / sampling.done * self._workers > end and sampling.goes_on:
                    return False
        return True

    async def _probs(
        self, picture: MaskedPicture, cell: ExplainedCell, targets: Sequence[int], count: int, number: int
    ) -> NDArray[np.float64]:
        body = await asyncio.to_thread(lambda: cell.with_image(picture.copy(number)))
        request = replace(RawRequest.of(self._request), body=body)
        headers = [(name, str(len(body)) if name == "content-length" else value) for name, value in request.headers]
        fields = replace(request, headers=headers).fields(float(self._request.fields["deadline"]))
        frame = await self._reply(Frame(FrameKind.RUN, self._request.number, fields, [body]))
        raw = RawReply.of(frame)
        if raw.failed or raw.status != 200:
            raise _RunError(frame)
        scores = ScriptReply.of(raw.body).scores(0, 1)
        if len(scores.probs) != count:
            raise ServiceError(
                "algorithm_unsupported",
                f"The script gives a masked copy {len(scores.probs)} probabilities, and the picture itself {count}. "
                "To be explained, it has to give as many for each picture, in the same order.",
            )
        return np.array(scores.probs, np.float64)[list(targets)]

    async def _reply(self, request: Frame) -> Frame:
        while True:
            frame = await self._run(request)
            if frame.kind is FrameKind.RESULT:
                return frame
            if "retry_after" not in frame.fields:
                raise _RunError(frame)
            await asyncio.sleep(max(_RETRY_S, float(frame.fields["retry_after"])))


def parameters_of(cell: ExplainedCell) -> ExplanationParameters:
    """Read the `xai_parameters` of a cell. ExplanationError where they are not valid, or not for scripts."""
    parameters = read_parameters(cell.parameters, "script")
    if parameters.algorithm != "rise":
        raise ExplanationError(
            "algorithm_unsupported",
            f"The algorithm {parameters.algorithm} looks into a network, and a script shows its scores alone. Use "
            "rise.",
        )
    for key in ("quality", "against"):
        if getattr(parameters, key):
            raise ExplanationError(
                "xai_parameters_invalid", f"{key!r} is for models, and not for scripts. Leave it out."
            )
    return parameters


def targets_of(parameters: ExplanationParameters, scores: ScriptScores) -> Sequence[int]:
    """Return the positions of the labels to explain: those asked for, or that of the highest score."""
    order = sorted(range(len(scores.probs)), key=lambda position: -scores.probs[position])
    if parameters.target is None:
        return order[: parameters.top_k or 1]
    found = []
    for target in parameters.target:
        if isinstance(target, RequestedBox):
            raise ExplanationError(
                "target_unknown", "The target is a box, and a script is explained by its labels. Give one of these."
            )
        predicted = target == PREDICTED and PREDICTED not in scores.labels
        found.append(order[0] if predicted else label_position(target, scores.labels))
    return found
