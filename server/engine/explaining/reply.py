"""The keys of a reply that explain a score: visualizations and attributions as in the hosted contract, and details."""

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
from explain.request.targets import REST
from models.labels import named
from models.predictions import ClassScores


def explanation_reply(
    pixels: Tensor,
    scores: ClassScores,
    explanation: Explanation,
    parameters: ExplanationParameters,
    *,
    independent: bool,
    full_image: FullImage | None = None,
) -> dict[str, Any]:
    """Make the keys `visualizations`, `attributions` and `explanations` for one image, uint8 [H, W, 3].

    The first two hold one value for a single predicted label. They are lists where labels are independent or where the
    request names several, and null where no independent label is above the threshold. `explanations` is always a list.
    `full_image`, from which that image was cropped, is drawn instead of it.
    Takes tens of milliseconds for each image drawn. Any thread may call it.
    Raises ExplanationError, code `attribution_invalid`, where an attribution cannot be drawn or encoded.
    """
    several = independent or parameters.top_k is not None or len(parameters.target or ()) > 1
    attributions = explanation.attributions
    drawn = [
        _drawn(pixels, scores, one, parameters, full_image) if parameters.visualizations else None
        for one in attributions
    ]
    encoded = [
        encode(one.values.numpy(), parameters.attributions_format, parameters.attributions_channels or 3)
        if parameters.attributions
        else None
        for one in attributions
    ]
    reply = {"visualizations": _shaped(drawn, several), "attributions": _shaped(encoded, several)}
    if parameters.compatibility is None:
        reply["explanations"] = [_details(one, scores, parameters) for one in attributions]
    return reply


def _shaped(values: Sequence[Any], several: bool) -> Any:
    if not values:
        return None
    return list(values) if several else values[0]


def _drawn(
    pixels: Tensor,
    scores: ClassScores,
    attribution: Attribution,
    parameters: ExplanationParameters,
    full_image: FullImage | None,
) -> str:
    image = AttributionImage(
        pixels.numpy(),
        attribution.values.numpy().astype(np.float32, copy=False),
        _title(attribution, scores),
        scores.probs[attribution.target],
        parameters.algorithm,
        full_image,
    )
    return b64encode(draw(image, style(parameters))).decode("ascii")


def _title(attribution: Attribution, scores: ClassScores) -> str:
    label, against = named(scores.labels[attribution.target]), attribution.against
    if against is None:
        return label
    return f"{label} rather than {'any other' if against == REST else named(scores.labels[against])}"


def _details(attribution: Attribution, scores: ClassScores, parameters: ExplanationParameters) -> dict[str, Any]:
    against = attribution.against
    sampled = {"forward_passes": attribution.forward_passes, "agreement": attribution.agreement}
    more: dict[str, Any] = {key: value for key, value in sampled.items() if value is not None}
    if against is not None:
        more["against"] = REST if against == REST else scores.labels[against]
    if attribution.quality:
        more["quality"] = dict(attribution.quality)
    return {
        "label": scores.labels[attribution.target],
        "target": attribution.target,
        "confidence": scores.probs[attribution.target],
        "xai_algorithm": parameters.algorithm,
        "n_steps": attribution.n_steps,
        "completeness_gap": attribution.gap,
        "notes": list(attribution.notes),
        **more,
    }
