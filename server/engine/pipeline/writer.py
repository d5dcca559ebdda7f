"""PredictionWriter: what was found out about a picture, as the JSON object of the wire contract, encoded once."""

import json
import logging
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from explain.attribution import Explanation
from explain.errors import ExplanationError
from models.images.decoding import ImageLimits
from server.engine.explaining.explainer import Explainer, ExplanationPayload
from server.engine.pipeline.device import Device
from server.engine.scheduling.jobs import DECODED_BATCHES, Job
from server.ipc.outcome import Failure, Outcome

logger = logging.getLogger(__name__)

_json = json.JSONEncoder(allow_nan=False).encode


class PredictionWriter:
    """Writes outcomes on any thread. `device` has the model that scored, which may be another after a while."""

    def __init__(self, device: Device, explainer: Explainer | None, image_limits: ImageLimits) -> None:
        self._device = device
        self._explainer = explainer
        self._image_limits = image_limits

    def scored(self, job: Job) -> Outcome:
        """Write the prediction of a job that has all its outputs; for a decode worker the outputs, float32 [N, C]."""
        if job.lane == DECODED_BATCHES:
            return bytes(job.found[0].numpy())
        return _written(job, partial(self._prediction, job))

    def explained(self, job: Job, task: ExplanationPayload, explanation: Explanation) -> Outcome:
        """Write the prediction of a job with its explanation."""
        assert self._explainer is not None
        return _written(job, partial(self._explainer.reply, task, explanation, self._image_limits))

    def _prediction(self, job: Job) -> dict[str, Any]:
        assert job.picture is not None
        prediction = self._device.model.combine(job.picture, [job.found[number] for number in sorted(job.found)])
        return {part.name: getattr(prediction, part.name) for part in fields(prediction)}


def _written(job: Job, make: Callable[[], dict[str, Any]]) -> Outcome:
    try:
        return _json(make()).encode()
    except ExplanationError as error:
        return Failure(error.code, str(error))
    except Exception:
        logger.exception("a prediction could not be made request=%d index=%d", job.request, job.index)
        return Failure("scoring_failed", "The model's output for this picture is not usable.")
