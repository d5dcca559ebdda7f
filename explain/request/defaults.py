"""Defaults that depend on the algorithm, and those of AutoML for Images, so that its results can be reproduced.

A later layer overrides an earlier one: the defaults of the fields, DEFAULTS, HOSTED (with compatibility "azureml"), the
keys of the request.
"""

from collections.abc import Mapping
from typing import Any

from explain.request.parameter_types import Explained

# what a request leaves open becomes this for models other than classifiers
OF_KIND: Mapping[Explained, Mapping[str, Any]] = {
    "classifier": {},
    # a detector sees the whole image; three equal numbers for each pixel would be waste
    "detector": {"xai_algorithm": "odam", "extent": "picture", "attributions_channels": 1},
    "script": {"xai_algorithm": "rise"},
}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # "absolute" would show pixels that speak against a label like those that speak for it
    "xrai": {"baseline": ("black", "white"), "sign": "positive"},
    "integrated_gradients": {"sign": "positive"},
    "gradcam": {"sign": "positive"},
    "layercam": {"sign": "positive"},
    "attention": {"sign": "positive"},
    "odam": {"sign": "positive"},
    "drise": {"sign": "positive"},
    "rise": {"sign": "positive"},
    "occlusion": {"sign": "positive"},
    "feature_ablation": {"sign": "positive"},
    "shapley_value_sampling": {"sign": "positive"},
    "kernel_shap": {"sign": "positive"},
    "lime": {"sign": "positive"},
}

_HOSTED_EVERYWHERE: Mapping[str, Any] = {
    "sign": "absolute",
    "visualization": "grid",
    "colour_map": "bgyw",
    "outlier_percent": 2.0,
    "overlay_opacity": 0.5,
    "output": "logit",
    "n_steps": 50,
}
_HOSTED_NOISE: Mapping[str, Any] = {"noise_samples": 5, "noise_std": 0.2}

HOSTED: Mapping[str, Mapping[str, Any]] = {
    "xrai": {
        **_HOSTED_EVERYWHERE,
        "approximation_method": "pair",
        "baseline": ("image_min", "image_max"),
        "output": "softmax",
        "double_scaling": True,
        "xrai_fast": True,
    },
    "integrated_gradients": {
        **_HOSTED_EVERYWHERE,
        **_HOSTED_NOISE,
        "approximation_method": "riemann_middle",
        "baseline": ("mean",),
    },
    "guided_backprop": {**_HOSTED_EVERYWHERE, **_HOSTED_NOISE, "guided_relu6": False},
    "guided_gradcam": {**_HOSTED_EVERYWHERE, "interpolation": "nearest", "guided_relu6": False},
    "gradcam": {**_HOSTED_EVERYWHERE, "interpolation": "nearest"},
    "layercam": {**_HOSTED_EVERYWHERE, "interpolation": "nearest"},
    "attention": {**_HOSTED_EVERYWHERE, "interpolation": "nearest"},
    "odam": {},  # the original explains no boxes
    "drise": {},
    **dict.fromkeys(
        ("rise", "occlusion", "feature_ablation", "shapley_value_sampling", "kernel_shap", "lime"), _HOSTED_EVERYWHERE
    ),
}
