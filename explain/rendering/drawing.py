"""The entry point of drawing: an attribution image and a style -> a PNG file."""

from dataclasses import fields

import numpy as np

from explain.rendering import visualizations
from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.png import encode_rgb
from explain.rendering.visualization import Visualization
from explain.request.parameters import ExplanationParameters
from models.discovery import constants


def draw(image: AttributionImage, style: Style) -> bytes:
    """Draw an image in a style: a PNG file in RGB or RGBA. The same arguments give the same bytes.

    Raises KeyError for an unknown visualization or colour map, and ExplanationError, code `attribution_invalid`, for
    attributions that are not finite.
    """
    return encode_rgb(np.asarray(visualization(style.visualization).draw(image, style)))


def visualization(name: str) -> Visualization:
    """Return the visualization of that name; KeyError where there is none."""
    found: Visualization = dict(constants(visualizations, "VISUALIZATION"))[name]
    return found


def style(parameters: ExplanationParameters) -> Style:
    """Take the parameters that drawing needs."""
    given = {field.name: getattr(parameters, field.name) for field in fields(Style)}
    return Style(**{name: value for name, value in given.items() if value is not None})
