"""The types of explanation parameters: which JSON values are accepted, in all spellings of the hosted original."""

from pkgutil import iter_modules
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from explain.rendering import visualizations
from explain.rendering.colours import COLOUR_MAPS

AlgorithmName = Literal[
    "xrai", "integrated_gradients", "guided_gradcam", "guided_backprop", "gradcam", "layercam", "attention"
]
RuleName = Literal["riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre", "pair"]
BaselineName = Literal["black", "white", "mean", "blur", "noise", "image_min", "image_max"]
OutputName = Literal["logit", "probability", "softmax"]
Interpolation = Literal["bilinear", "nearest"]
Sign = Literal["absolute", "positive", "signed"]
Extent = Literal["crop", "picture"]
AttributionsFormat = Literal["list", "npy_base64", "png16"]
AttributionsChannels = Literal[3, 1]
Measure = Literal["insertion", "deletion"]

_MAX_TARGETS = 100
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})


def visualization_names() -> tuple[str, ...]:
    """List the visualizations by their files, without importing them."""
    return tuple(sorted(module.name for module in iter_modules(visualizations.__path__)))


def read_boolean(value: Any) -> Any:
    """Read the words for true and false that the hosted original accepts; anything else stays as it is."""
    if isinstance(value, str | int):
        word = str(value).lower()
        return word in _TRUE if word in _TRUE | _FALSE else value
    return value


def _number(value: Any) -> Any:
    """Read a number in quotes, which the hosted original accepts."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _as_tuple(value: Any) -> Any:
    """Turn a list, or a single value, into a tuple. A list that is too long stays one, and is refused as a whole."""
    if isinstance(value, list) and len(value) <= _MAX_TARGETS:
        return tuple(value)
    return (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value


def _measures(value: Any) -> Any:
    if isinstance(value, bool):
        return ("insertion", "deletion") if value else ()
    return _as_tuple(value)


def _any_of(names: tuple[str, ...]) -> Any:
    return Field(pattern=f"^({'|'.join(names)})$", json_schema_extra={"enum": list(names)})


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Threshold = Annotated[Fraction, BeforeValidator(_number)]
Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]
StepCount = Annotated[int, Field(ge=2, le=1000)] | Literal["auto"]
VisualizationName = Annotated[str, _any_of(visualization_names())]
ColourMap = Annotated[str, _any_of(tuple(COLOUR_MAPS))]
Boolean = Annotated[bool, BeforeValidator(read_boolean)]
Baselines = Annotated[
    tuple[BaselineName, ...],
    Field(
        min_length=1,
        max_length=8,
        json_schema_extra={"expectation": f"one of {', '.join(get_args(BaselineName))} or a list of these"},
    ),
    BeforeValidator(_as_tuple),
]
Target = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
Targets = Annotated[
    tuple[Target, ...],
    Field(
        min_length=1,
        max_length=_MAX_TARGETS,
        json_schema_extra={
            "expectation": "a label, a whole number of at least 0, predicted, or a list of up to 100 of these"
        },
    ),
    BeforeValidator(_as_tuple),
]
Against = Annotated[Target, Field(json_schema_extra={"expectation": "a label, a whole number of at least 0, or rest"})]
Quality = Annotated[
    tuple[Measure, ...],
    Field(max_length=2, json_schema_extra={"expectation": "true, false, insertion, deletion or a list of these two"}),
    BeforeValidator(_measures),
]
