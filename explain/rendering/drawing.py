"""The way in: a subject and a style -> a PNG file."""

from dataclasses import fields

import numpy as np

from explain.rendering import visualizations
from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.png import encode_rgb
from explain.rendering.visualization import Visualization
from explain.request.parameters import ExplanationParameters
from models.discovery import constants


def draw(subject: AttributionImage, style: Style) -> bytes:
    """Draw a subject as its style asks, a PNG file in RGB; the same arguments give the same bytes.

    Raises KeyError for an unknown visualization or colour map, and ExplanationError, code `attribution_invalid`, for
    attributions that are no finite numbers.
    """
    return encode_rgb(np.asarray(visualization(style.visualization).draw(subject, style)))


def visualization(name: str) -> Visualization:
    """Return the visualization of that name; KeyError where there is none."""
    found: Visualization = dict(constants(visualizations, "VISUALIZATION"))[name]
    return found


def style(parameters: ExplanationParameters) -> Style:
    """Take from a request what concerns drawing."""
    return Style(**{field.name: getattr(parameters, field.name) for field in fields(Style)})
