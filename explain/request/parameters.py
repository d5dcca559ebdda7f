"""ExplanationParameters: the `xai_parameters` of a request, under the same names from the API to the algorithms.

The keys and ranges include those of AutoML for Images. An unknown key is an error here, while the original ignores it:
a misspelt key that silently does nothing is worse than a message. A key that has no effect on the chosen algorithm is
checked and then ignored, here and there, so that one set of parameters serves several algorithms.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from explain.errors import ExplanationError
from explain.request.defaults import DEFAULTS, HOSTED, OF_KIND
from explain.request.parameter_types import (
    Against,
    AlgorithmName,
    Aspect,
    AttributionsChannels,
    AttributionsFormat,
    Baselines,
    Boolean,
    ColourMap,
    Explained,
    Extent,
    Fraction,
    Interpolation,
    Milliseconds,
    OutputName,
    Quality,
    RuleName,
    Share,
    Sign,
    StepCount,
    Targets,
    Threshold,
    VisualizationName,
)
from explain.request.requested_box import check_box
from settings.excerpt import excerpt
from settings.expectation import did_you_mean, expectation

_MAX_UNKNOWN_KEYS = 3  # named in one message

_PATH = ["xrai", "integrated_gradients"]
_NOISE = ["integrated_gradients", "guided_backprop"]
_GUIDED = ["guided_backprop", "guided_gradcam"]
_COARSE = ["guided_gradcam", "gradcam", "layercam", "attention", "odam"]
_BOXES = ["odam", "integrated_gradients", "xrai"]
_SAMPLED = ["shapley_value_sampling", "kernel_shap", "lime"]
_SEGMENTED = ["feature_ablation", *_SAMPLED]
_MASKED = ["rise", "drise"]
_HIDING = [*_MASKED, "occlusion", *_SEGMENTED]


def _only(algorithms: list[str]) -> dict[str, Any]:
    return {"applies_to": algorithms}


class ExplanationParameters(BaseModel):
    """The parameters of one explanation, with all defaults. `read_parameters` makes them from a request."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    xai_algorithm: AlgorithmName | None = Field(
        None, description="How the score is traced back to the pixels: by default xrai, for detectors odam."
    )
    compatibility: Literal["azureml"] | None = Field(
        None,
        description="azureml takes every choice of AutoML for Images, its oddities included; other keys overrule it.",
    )

    target: Targets | None = Field(
        None,
        description="What to explain instead of the predicted labels: texts are labels, numbers their positions;"
        " predicted is the label of the highest score. Of detectors numbers are positions of boxes, texts all boxes of"
        " a label, and objects boxes of your own.",
    )
    against: Against | None = Field(
        None,
        description="Explain why the target rather than this label: the output of the target less that of this one;"
        " rest is all other labels.",
    )
    top_k: int | None = Field(
        None, ge=1, le=100, description="Explain this many labels, or boxes, of the highest scores."
    )
    aspect: Aspect = Field(
        "label",
        description="What to explain of a box: its label, a side, its mask, or box: label and sides together.",
        json_schema_extra=_only(_BOXES),
    )
    confidence_score_threshold_multilabel: Threshold = Field(
        0.5, description="Of a multilabel model, every label with a score above this is explained."
    )
    output: OutputName = Field(
        "logit",
        description="The number whose change is traced: the raw output, the score in the reply, or the softmax over all"
        " labels, which differs from the score in multilabel models.",
    )

    n_steps: StepCount = Field(
        "auto",
        description="Points on the way from the baseline to the image; auto takes 8 for xrai, and for"
        " integrated_gradients from 8 on as few as leave a gap below 1%, placed where the score bends.",
        json_schema_extra=_only(_PATH),
    )
    max_n_steps: int = Field(
        32, ge=8, le=1000, description="Where auto steps end.", json_schema_extra=_only(["integrated_gradients"])
    )
    # auto steps use riemann_middle whatever this says
    approximation_method: RuleName = Field(
        "riemann_middle",
        description="How those points are placed and weighted; pair, for xrai only, puts one on each end, all weighted"
        " alike.",
        json_schema_extra=_only(_PATH),
    )
    # the blurred image is blind to no colour, unlike an image of one colour
    baseline: Baselines = Field(
        ("blur",),
        description="What stands for an image without content: a name, or several to average over.",
        json_schema_extra=_only([*_PATH, *_HIDING]),
    )
    xrai_fast: Boolean = Field(
        True, description="Rank the regions once instead of anew after each.", json_schema_extra=_only(["xrai"])
    )
    area_threshold: Fraction = Field(
        1.0,
        description="Without xrai_fast: the share of the image to cover with ranked regions.",
        json_schema_extra=_only(["xrai"]),
    )
    interpolation: Interpolation = Field(
        "bilinear", description="How the coarse map is enlarged.", json_schema_extra=_only(_COARSE)
    )
    noise_samples: int = Field(
        0,
        ge=0,
        le=100,
        description="Average over this many noisy copies of the image; 0 explains the image itself.",
        json_schema_extra=_only(_NOISE),
    )
    noise_std: float = Field(
        0.2,
        ge=0.0,
        le=10.0,
        description="The standard deviation of that noise, in units of the normalised input.",
        json_schema_extra=_only(_NOISE),
    )
    n_masks: int = Field(
        512,
        ge=8,
        le=10_000,
        description="Masks, and so forward passes, at most; rise and drise end where the maps of two halves of them"
        " agree.",
        json_schema_extra=_only([*_MASKED, *_SAMPLED]),
    )
    n_segments: int = Field(
        49,
        ge=2,
        le=400,
        description="Into about how many superpixels the image is cut.",
        json_schema_extra=_only(_SEGMENTED),
    )
    mask_share: Share = Field(
        0.5, description="The share of the image that a mask shows, on average.", json_schema_extra=_only(_MASKED)
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        description="Chance of the same seed is the same: noisy copies, the noise baseline and random masks.",
    )
    # captum, and so the hosted original, leaves MobileNetV2 unguided
    guided_relu6: Boolean = Field(
        True, description="Guide through ReLU6 as through ReLU.", json_schema_extra=_only(_GUIDED)
    )
    double_scaling: Boolean = Field(
        False,
        description="Divide the image by 255 twice before the network sees it, which explains a nearly black one.",
        json_schema_extra=_only(["xrai"]),
    )
    explain_budget_ms: Milliseconds | None = Field(
        None,
        description="With auto steps or masks: refine no further if that would end after this time, which a note then"
        " says.",
        json_schema_extra=_only([*_PATH, *_MASKED, *_SAMPLED]),
    )

    visualizations: Boolean = Field(True, description="Return a PNG for each explained label.")
    visualization: VisualizationName = Field("grid", description="What the PNG shows.")
    colour_map: ColourMap | None = Field(
        None, description="The colours of the heat map; without it bgyw, or for signed maps bwy."
    )
    sign: Sign = Field(
        "absolute", description="Show how much a pixel matters, what speaks for the label, or both for and against."
    )
    outlier_percent: float = Field(
        2.0, ge=0.0, le=50.0, description="The percentage of the map's total that may saturate at the top of the scale."
    )
    overlay_opacity: Fraction = Field(0.5, description="How strongly the heat map covers the image beneath.")
    extent: Extent | None = Field(
        None,
        description="Show what the network saw, or the whole image with the map in its place: by default crop, for "
        "detectors picture.",
    )
    one_picture: Boolean = Field(
        False,
        description="Of a detector: one picture with the maps of all explained boxes, instead of one for each.",
        json_schema_extra=_only(_BOXES),
    )
    captions: Boolean = Field(
        True, description="Draw a title and a scale; false gives the bare image at its own resolution. Not for grids."
    )

    attributions: Boolean = Field(False, description="Return the numbers for each explained label.")
    attributions_format: AttributionsFormat = Field(
        "list", description="Nested lists, an .npy file, or a 16-bit PNG with its scale; files in base64."
    )
    attributions_channels: AttributionsChannels | None = Field(
        None,
        description="3: a number for each colour of a pixel; 1: their sum, without the axis of colours. By default 3, "
        "for detectors 1.",
    )
    quality: Quality = Field(
        (), description="Also measure how the score reacts when the most important pixels are added or removed."
    )

    @model_validator(mode="after")
    def _check_combinations(self) -> "ExplanationParameters":
        if self.target is not None and self.top_k is not None:
            raise ValueError("'target' and 'top_k' both say which labels to explain. Keep one of the two")
        if self.approximation_method == "pair" and self.algorithm == "integrated_gradients":
            raise ValueError("'approximation_method' is 'pair', which is a rule of the algorithm xrai only")
        return self

    @property
    def algorithm(self) -> AlgorithmName:
        """The algorithm that is asked for, or that of classifiers."""
        return self.xai_algorithm or "xrai"

    def for_kind(self, kind: Explained) -> "ExplanationParameters":
        """Return the parameters for a kind of what is served, by which some of what was left open differs."""
        return self.model_copy(
            update={name: value for name, value in OF_KIND[kind].items() if getattr(self, name) is None}
        )

    def fields(self) -> dict[str, Any]:
        """Return all fields as JSON values, from which `from_fields` builds the same parameters."""
        return self.model_dump(mode="json")

    @classmethod
    def from_fields(cls, fields: object) -> "ExplanationParameters":
        """Build parameters from what `fields` returned, all of them; the engine does so once for each explained image.

        Raises ExplanationError, code `xai_parameters_invalid`.
        """
        if not isinstance(fields, Mapping) or fields.keys() != cls.model_fields.keys():
            raise _invalid(f"The fields of the explanation parameters are {excerpt(fields)}; expected all of them.")
        # `read_parameters` found these values valid in the HTTP process. They are validated a second time because the
        # engine does not trust what arrives on its socket, and because JSON has no tuples.
        return _validated(fields)


def read_parameters(content: object, kind: Explained | None = None) -> ExplanationParameters:
    """Read the `xai_parameters` of a request, a JSON object or null. A value of null counts as not given.

    What a request leaves open stays so for `for_kind` to decide, unless the `kind` of what is served is known already.
    Raises ExplanationError: `algorithm_unknown`, `box_invalid`, or `xai_parameters_invalid` with a sentence for each
    key that is unknown, of the wrong type or out of range.
    """
    if content is None:
        content = {}
    if not isinstance(content, Mapping):
        raise _invalid(f"`xai_parameters` is {excerpt(content)}; expected a JSON object of keys and values.")
    given = {str(key): value for key, value in content.items() if value is not None}
    if unknown := [key for key in given if key not in ExplanationParameters.model_fields]:
        raise _invalid(" ".join(_unknown_key(key) for key in unknown[:_MAX_UNKNOWN_KEYS]))
    targets = given.get("target")
    for target in targets if isinstance(targets, list) else [targets]:
        if isinstance(target, Mapping):
            check_box(target)
    if kind is not None:
        given = {**OF_KIND[kind], **given}
    return _validated(_layers(given) | given)


def default(name: str, algorithm: str, *, hosted: bool = False) -> Any:
    """Return the default of parameter `name` for `algorithm`; if `hosted`, with compatibility "azureml"."""
    content = {"xai_algorithm": algorithm} | ({"compatibility": "azureml"} if hosted else {})
    return getattr(read_parameters(content), name)


def _layers(given: Mapping[str, Any]) -> dict[str, Any]:
    algorithm = given.get("xai_algorithm", "xrai")
    if not isinstance(algorithm, str):
        return {}
    hosted = HOSTED.get(algorithm, {}) if given.get("compatibility") == "azureml" else {}
    return {**DEFAULTS.get(algorithm, {}), **hosted}


def _validated(values: Mapping[str, Any]) -> ExplanationParameters:
    try:
        return ExplanationParameters.model_validate(values)
    except ValidationError as error:
        errors = error.errors()
        message = " ".join(dict.fromkeys(_sentence(values, item) for item in errors))
        if isinstance(values.get("xai_algorithm"), str) and any(item["loc"] == ("xai_algorithm",) for item in errors):
            raise ExplanationError("algorithm_unknown", message) from None
        raise _invalid(message) from None


def _sentence(given: Mapping[str, Any], item: ErrorDetails) -> str:
    reason = str(item.get("ctx", {}).get("error", item["msg"]))
    if not item["loc"]:
        return f"{reason}."
    name = str(item["loc"][0])
    value = given[name]
    why = f" ({reason})" if item["type"] == "value_error" else ""
    expected = expectation(ExplanationParameters, name)
    return f"{name!r} is {excerpt(value)}; expected {expected}{why}.{_near(name, value)}"


def _near(name: str, value: Any) -> str:
    known = _words(ExplanationParameters.model_json_schema()["properties"][name])
    for word in value if isinstance(value, list) else [value]:
        if isinstance(word, str) and word not in known:
            return did_you_mean(word.lower(), known) or did_you_mean(word.upper(), known)
    return ""


def _words(part: Any) -> list[str]:
    """Collect the words that a JSON schema allows, at any depth."""
    if isinstance(part, dict):
        own = [word for word in [*part.get("enum", []), part.get("const")] if isinstance(word, str)]
        return own + [word for inner in part.values() for word in _words(inner)]
    return [word for inner in part for word in _words(inner)] if isinstance(part, list) else []


def _unknown_key(key: str) -> str:
    known = ExplanationParameters.model_fields
    hint = did_you_mean(key.lower(), known) or f" Known: {', '.join(known)}."
    return f"The key {excerpt(key)} of `xai_parameters` is not known.{hint}"


def _invalid(message: str) -> ExplanationError:
    return ExplanationError("xai_parameters_invalid", message)
