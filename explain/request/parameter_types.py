"""The types of explanation parameters: which JSON values are accepted, in all spellings of the hosted original."""

from pkgutil import iter_modules
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema

from explain.rendering import visualizations
from explain.rendering.colours import COLOUR_MAPS
from explain.request.requested_box import EDGES, RequestedBox

AlgorithmName = Literal[
    "xrai",
    "integrated_gradients",
    "guided_gradcam",
    "guided_backprop",
    "gradcam",
    "layercam",
    "attention",
    "odam",
    "rise",
    "drise",
    "occlusion",
    "feature_ablation",
    "shapley_value_sampling",
    "kernel_shap",
    "lime",
]
Explained = Literal["classifier", "detector", "script"]  # kinds of what is served
RuleName = Literal["riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre", "pair"]
BaselineName = Literal["black", "white", "mean", "blur", "noise", "image_min", "image_max"]
OutputName = Literal["logit", "probability", "softmax"]
Interpolation = Literal["bilinear", "nearest"]
Sign = Literal["absolute", "positive", "signed"]
Extent = Literal["crop", "picture"]
Aspect = Literal["label", "box", "left", "top", "right", "bottom", "mask"]
AttributionsFormat = Literal["list", "npy_base64", "png16"]
AttributionsChannels = Literal[3, 1]
Measure = Literal["insertion", "deletion"]

SIDES: tuple[Aspect, ...] = ("left", "top", "right", "bottom")
ONE_NUMBER: frozenset[Aspect] = frozenset({"label", "mask", *SIDES})  # aspects for which one number stands
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
    return (value,) if isinstance(value, str | int | dict) and not isinstance(value, bool) else value


def _measures(value: Any) -> Any:
    if isinstance(value, bool):
        return ("insertion", "deletion") if value else ()
    return _as_tuple(value)


def _any_of(names: tuple[str, ...]) -> Any:
    return Field(pattern=f"^({'|'.join(names)})$", json_schema_extra={"enum": list(names)})


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Threshold = Annotated[Fraction, BeforeValidator(_number)]
Share = Annotated[float, Field(ge=0.05, le=0.95)]
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
# written out, since parts of this schema stand in others, where a reference would lead nowhere
_BOX_SCHEMA = {
    "type": "object",
    "properties": {
        "box": {
            "type": "object",
            "properties": {edge: {"type": "number", "minimum": 0, "maximum": 1} for edge in EDGES},
            "required": list(EDGES),
        },
        "label": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    },
    "required": ["box", "label"],
}
_Label = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
Target = _Label | Annotated[RequestedBox, WithJsonSchema(_BOX_SCHEMA)]
Targets = Annotated[
    tuple[Target, ...],
    Field(
        min_length=1,
        max_length=_MAX_TARGETS,
        json_schema_extra={
            "expectation": "a label, a whole number of at least 0, predicted, a box with a label, "
            "or a list of up to 100 of these"
        },
    ),
    BeforeValidator(_as_tuple),
]
Against = Annotated[_Label, Field(json_schema_extra={"expectation": "a label, a whole number of at least 0, or rest"})]
Quality = Annotated[
    tuple[Measure, ...],
    Field(max_length=2, json_schema_extra={"expectation": "true, false, insertion, deletion or a list of these two"}),
    BeforeValidator(_measures),
]
