"""JobFactory: makes the jobs of a request, or refuses it before any image is decoded."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from explain.request.parameters import ExplanationParameters
from server.engine.engine_model import EngineModel
from server.engine.explaining.explainer import PREDICTION_MARGIN, Explainer
from server.engine.explaining.payload import ExplanationPayload
from server.engine.payload import ScorePayload
from server.engine.scheduling.job import AnyJob, Job
from server.ipc.outcome import RefusedError
from settings.errors import SettingsError

# (lane, cost, passes) of a job that has the device to itself -> seconds
Predict = Callable[[str, float, float], float]

_LEFT_TO_OTHERS = 0.8  # a request of several images may plan with this share of its time


class JobFactory:
    """Makes jobs for a model. It explains images if there is an `explainer`. `predict` predicts the time of a job.

    `decode_s` predicts the seconds in which encoded bytes, and so many images, are decoded.
    """

    def __init__(
        self,
        model: EngineModel,
        explainer: Explainer | None,
        predict: Predict,
        decode_s: Callable[[int, int], float],
    ) -> None:
        self._model = model
        self._explainer = explainer
        self._predict = predict
        self._decode_s = decode_s

    def jobs(
        self,
        request: int,
        images: Sequence[bytes],
        *,
        now: float,
        deadline: float,
        explain: Mapping[int, ExplanationParameters],
        settings: Mapping[int, Mapping[str, Any]],
    ) -> list[AnyJob]:
        """Make a job for each encoded image. `now` and `deadline` are monotonic seconds.

        `explain` and `settings` hold parameters by the index of the image. Raises ExplanationError or RefusedError
        where one of the images cannot be processed so.
        """
        jobs = []
        for index, data in enumerate(images):
            payload = ScorePayload(data, self._settings(settings.get(index, {})))
            job: AnyJob = Job(request, index, self._model.pixels, len(data), now, deadline, payload)
            self._check_time(job)
            if index in explain:
                self._explain(job, explain[index])
            jobs.append(job)
        if len(jobs) > 1:
            self._check_request(jobs)
        return jobs

    def _check_request(self, jobs: Sequence[AnyJob]) -> None:
        """Refuse images that cannot all be done before the deadline even if they have the device to themselves."""
        left_s = jobs[0].deadline - jobs[0].arrived
        seconds = {"score": self._decode_s(sum(job.size for job in jobs), len(jobs)), "explain": 0.0}
        for job in jobs:
            seconds[job.lane] += self._predict(job.lane, job.cost, self._min_passes(job))
        excess = max(seconds["score"] / _LEFT_TO_OTHERS, seconds["explain"] / PREDICTION_MARGIN) / left_s
        if excess > 1:
            raise RefusedError(
                "too_many_images",
                f"These {len(jobs)} pictures take about {sum(seconds.values()):.0f} s here, and the request has "
                f"{left_s:.0f} s. Send at most {max(1, int(len(jobs) / excess))} at once, or raise "
                "--request-timeout-ms.",
            )

    def _min_passes(self, job: AnyJob) -> float:
        if self._explainer is None or not isinstance(job.payload, ExplanationPayload):
            return job.passes
        return self._explainer.min_passes(job.payload)

    def _settings(self, given: Mapping[str, Any]) -> Any:
        try:
            return self._model.settings(given)
        except SettingsError as error:
            raise RefusedError("inference_parameters_invalid", str(error)) from None

    def _check_time(self, job: Job[ScorePayload]) -> None:
        job.passes = self._model.max_inputs(job.payload.settings)
        left_s = job.deadline - job.arrived
        if job.passes > 1 and (takes := self._predict(job.lane, job.cost, job.passes)) > PREDICTION_MARGIN * left_s:
            raise RefusedError(
                "deadline_exceeded",
                f"With its tiles this picture takes {job.passes} passes through the model, about {takes:.0f} s here, "
                f"and the request has {left_s:.0f} s. Ask for fewer tiles, or raise --request-timeout-ms.",
            )

    def _explain(self, job: AnyJob, parameters: ExplanationParameters) -> None:
        if self._explainer is None:
            raise RefusedError("algorithm_unsupported", "This model is not explained. Leave model_explainability out.")
        payload = self._explainer.payload(parameters, job.payload)
        if payload is None:
            return
        job.lane = "explain"
        self._explainer.check_time(payload, partial(self._predict, job.lane, job.cost), job.deadline - job.arrived)
        job.payload = payload
        job.passes = self._explainer.max_passes(payload)
