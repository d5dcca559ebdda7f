"""score_admitted: scores the images of an admitted request, however it came."""

import time
from dataclasses import replace

from server.api.admission import AdmittedRequest
from server.api.timing import timing_facts
from server.errors import ServiceError
from server.inference.scoring import ImageInput, score
from server.ipc.outcome import Reply
from server.protocol import ScoreRequest


async def score_admitted(admitted: AdmittedRequest, score_request: ScoreRequest) -> Reply:
    """Score the images, and copy them to shadow deployments; whoever cancels this cancels the work.

    The stages of the reply begin with `read`: the seconds from the request's arrival until now. ServiceError as
    `score` raises, or `inference_parameters_invalid` where the server accepts none.
    """
    deployment, images = admitted.deployment, score_request.images
    _check_inference_parameters(admitted, score_request)
    admitted.facts["images"] = len(images)
    read_s = time.monotonic() - admitted.started
    reply = await score(deployment.engines, images, deployment.settings.bad_images, admitted.deadline)
    reply = replace(reply, stages={"read": read_s, **reply.stages})
    admitted.facts.update(timing_facts(reply.stages))
    admitted.state.shadow_traffic.copy(deployment, images, reply.outcomes)
    return reply


def _check_inference_parameters(admitted: AdmittedRequest, score_request: ScoreRequest) -> None:
    if not admitted.deployment.settings.inference_parameters and any(
        isinstance(image, ImageInput) and image.settings for image in score_request.images
    ):
        raise ServiceError(
            "inference_parameters_invalid",
            "This server takes no `inference_parameters`. Leave them out, or have its operator start it with "
            "--inference-parameters.",
        )
