"""PredictionWriter: encodes the prediction of an image, once, as the JSON object of the wire contract."""

import json
import logging
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from explain.attribution import Explanation
from explain.errors import ExplanationError
from models.images.decoding import ImageLimits
from server.engine.device import Device
from server.engine.explaining.explainer import Explainer
from server.engine.explaining.payload import ExplanationPayload
from server.engine.payload import ScorePayload
from server.engine.scheduling.job import DECODED_BATCHES, AnyJob, Job
from server.ipc.outcome import Failure, Outcome

logger = logging.getLogger(__name__)

_json = json.JSONEncoder(allow_nan=False).encode


class PredictionWriter:
    """Encodes predictions on any thread, with the model of `device`, which changes with the runtime."""

    def __init__(self, device: Device, explainer: Explainer | None, image_limits: ImageLimits) -> None:
        self._device = device
        self._explainer = explainer
        self._image_limits = image_limits

    def scored(self, job: Job[ScorePayload]) -> Outcome:
        """Encode the prediction of a job that has all its outputs; for a decode worker the outputs, float32 [N, C]."""
        if job.lane == DECODED_BATCHES:
            return bytes(job.payload.outputs[0].numpy())
        return _encoded(job, partial(self._prediction, job.payload))

    def explained(self, job: Job[ExplanationPayload], explanation: Explanation) -> Outcome:
        """Encode the prediction of a job with its explanation."""
        assert self._explainer is not None
        return _encoded(job, partial(self._explainer.reply, job.payload, explanation, self._image_limits))

    def _prediction(self, payload: ScorePayload) -> dict[str, Any]:
        assert payload.image is not None
        outputs = [payload.outputs[index] for index in sorted(payload.outputs)]
        prediction = self._device.model.combine(payload.image, outputs)
        return {part.name: getattr(prediction, part.name) for part in fields(prediction)}


def _encoded(job: AnyJob, make: Callable[[], dict[str, Any]]) -> Outcome:
    try:
        return _json(make()).encode()
    except ExplanationError as error:
        return Failure(error.code, str(error))
    except Exception:
        logger.exception("a prediction could not be encoded request=%d index=%d", job.request, job.index)
        return Failure("scoring_failed", "The model's output for this picture is not usable.")
