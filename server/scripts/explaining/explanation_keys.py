"""The keys that an explanation adds to the object of an image, as for models."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.encoding import encode
from explain.rendering.attribution_image import AttributionImage
from explain.rendering.drawing import draw, style
from explain.request.parameters import ExplanationParameters
from models.labels import named
from server.scripts.explaining.masked_picture import MaskedPicture
from server.scripts.explaining.script_scores import ScriptScores


def explanation_keys(
    picture: MaskedPicture,
    scores: ScriptScores,
    targets: Sequence[int],
    parameters: ExplanationParameters,
    *,
    in_time: bool,
) -> dict[str, Any]:
    """Draw and encode the maps of a picture; returns `visualizations`, `attributions` and `explanations`.

    Takes tens of milliseconds for each image drawn. Any thread may call it.
    """
    several = parameters.top_k is not None or len(targets) > 1
    maps, agreements = picture.sampling.maps(), picture.sampling.agreements()
    drawn = [
        _drawn(picture, values, scores, target, parameters) if parameters.visualizations else None
        for target, values in zip(targets, maps, strict=True)
    ]
    encoded = [
        encode(values, parameters.attributions_format, parameters.attributions_channels or 3)
        if parameters.attributions
        else None
        for values in maps
    ]
    details = [
        {
            "label": scores.labels[target],
            "target": target,
            "confidence": scores.probs[target],
            "xai_algorithm": parameters.algorithm,
            "n_steps": None,
            "completeness_gap": None,
            "notes": list(picture.notes(position, agreement, in_time=in_time)),
            "forward_passes": 1 + picture.sampling.done,
            "agreement": agreement,
        }
        for position, (target, agreement) in enumerate(zip(targets, agreements, strict=True))
    ]
    keys = {"visualizations": drawn if several else drawn[0], "attributions": encoded if several else encoded[0]}
    return keys | ({"explanations": details} if parameters.compatibility is None else {})


def _drawn(
    picture: MaskedPicture,
    values: NDArray[np.float32],
    scores: ScriptScores,
    target: int,
    parameters: ExplanationParameters,
) -> str:
    image = AttributionImage(
        picture.pixels, values, named(scores.labels[target]), scores.probs[target], parameters.algorithm
    )
    return b64encode(draw(image, style(parameters))).decode("ascii")
