"""What explains in a reply: pictures and attributions in the shapes of the hosted contract, and how exact they are."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from explain.attribution import Attribution, Explanation
from explain.encoding import encode
from explain.rendering.attribution_image import AttributionImage, FullImage
from explain.rendering.drawing import draw, style
from explain.request.parameters import ExplanationParameters
from models.predictions import ClassScores


def explained(
    picture: Tensor,
    scores: ClassScores,
    explanation: Explanation,
    parameters: ExplanationParameters,
    *,
    independent: bool,
    whole: FullImage | None = None,
) -> dict[str, Any]:
    """Make the keys `visualizations`, `attributions` and `explanations` for one picture, uint8 [H, W, 3].

    `whole` is what that picture was cut from, to be drawn instead.

    One value each for a single predicted label; lists where labels are independent or several were asked for, and null
    where none of the independent ones was above the threshold. `explanations` is always a list. Needs tens of
    milliseconds a picture drawn; safe in threads. ExplanationError where an attribution cannot be drawn.
    """
    several = independent or parameters.top_k is not None or len(parameters.target or ()) > 1
    found = explanation.attributions
    drawn = [_drawn(picture, scores, one, parameters, whole) if parameters.visualizations else None for one in found]
    encoded = [
        encode(one.values.numpy(), parameters.attributions_format, parameters.attributions_channels)
        if parameters.attributions
        else None
        for one in found
    ]
    reply = {"visualizations": _shaped(drawn, several), "attributions": _shaped(encoded, several)}
    if parameters.compatibility is None:
        reply["explanations"] = [_details(one, scores, parameters) for one in found]
    return reply


def _shaped(values: Sequence[Any], several: bool) -> Any:
    if not values:
        return None
    return list(values) if several else values[0]


def _drawn(
    picture: Tensor, scores: ClassScores, one: Attribution, parameters: ExplanationParameters, whole: FullImage | None
) -> str:
    subject = AttributionImage(
        picture.numpy(),
        one.values.numpy().astype(np.float32, copy=False),
        scores.labels[one.target],
        scores.probs[one.target],
        parameters.xai_algorithm,
        whole,
    )
    return b64encode(draw(subject, style(parameters))).decode("ascii")


def _details(one: Attribution, scores: ClassScores, parameters: ExplanationParameters) -> dict[str, Any]:
    return {
        "label": scores.labels[one.target],
        "target": one.target,
        "confidence": scores.probs[one.target],
        "xai_algorithm": parameters.xai_algorithm,
        "n_steps": one.n_steps,
        "completeness_gap": one.gap,
        "notes": list(one.notes),
    } | ({"quality": dict(one.quality)} if one.quality else {})
