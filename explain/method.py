"""Method: everything that decides how an explanation is computed. Plain values, no PyTorch."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from explain.request.parameter_types import Measure
from explain.request.parameters import ExplanationParameters

Output: TypeAlias = Literal["logit", "probability", "softmax"]
Rule: TypeAlias = Literal[
    "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre", "pair"
]
BaselineName: TypeAlias = Literal["black", "white", "mean", "blur", "noise", "image_min", "image_max"]


@dataclass(frozen=True, slots=True)
class Method:
    """An algorithm and its parameters. Each algorithm reads those that concern it; the defaults suit all.

    Everywhere:

    - `algorithm`: the name of a file in `explain/algorithms/`
    - `output`: what is differentiated: the `logit` of the target, its `probability` as the task defines it, or its
      `softmax`, also for tasks whose labels are independent
    - `quality`: the measures to take of each attribution, see explain/quality.py

    Integrated gradients and XRAI:

    - `n_steps`: gradients per path, from 2 on; `auto` refines what is there while time and `max_steps` allow: XRAI from
      4 to 8, integrated gradients from 8 where the path bends, until the completeness gap is below 1 %
    - `approximation_method`: the quadrature rule; `auto` steps use `riemann_middle` whatever this says
    - `baselines`: where paths start; attributions are averaged. Empty stands for the algorithm's own: blur for
      integrated gradients, black and white for XRAI
    - `xrai_fast`: rank regions once instead of anew after each choice; ignores `area_threshold`
    - `area_threshold`: the part of the picture, 0 to 1, that full XRAI ranks before the rest is one region
    - `pixel_scaling`: `twice` has XRAI show the network values divided by 255 once more than in training, nearly black,
      and weigh gradients with raw instead of normalised differences, as the hosted original does

    Integrated gradients and guided backpropagation:

    - `noise_samples`: how many noisy copies are averaged (SmoothGrad); 0 explains the picture itself
    - `noise_std`: their standard deviation in normalised units
    - `seed`: of that noise and of the baseline `noise`

    Grad-CAM and the guided algorithms:

    - `interpolation`: how Grad-CAM's map is brought to the size of the picture
    - `guide_relu6`: guide ReLU6 too; captum, and so the hosted original, leaves MobileNetV2 unguided
    """

    algorithm: str = "xrai"
    output: Output = "logit"
    n_steps: int | Literal["auto"] = "auto"
    max_steps: int = 32
    approximation_method: Rule = "riemann_middle"
    baselines: tuple[BaselineName, ...] = ()
    xrai_fast: bool = True
    area_threshold: float = 1.0
    pixel_scaling: Literal["once", "twice"] = "once"
    noise_samples: int = 0
    noise_std: float = 0.2
    seed: int = 0
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    guide_relu6: bool = True
    quality: tuple[Measure, ...] = ()

    @classmethod
    def asked_for(cls, parameters: ExplanationParameters) -> "Method":
        """Take from a request what concerns the computation."""
        return cls(
            algorithm=parameters.xai_algorithm,
            output=parameters.output,
            n_steps=parameters.n_steps,
            max_steps=parameters.max_n_steps,
            approximation_method=parameters.approximation_method,
            baselines=parameters.baseline,
            xrai_fast=parameters.xrai_fast,
            area_threshold=parameters.area_threshold,
            pixel_scaling="twice" if parameters.double_scaling else "once",
            noise_samples=parameters.noise_samples,
            noise_std=parameters.noise_std,
            seed=parameters.seed,
            interpolation=parameters.interpolation,
            guide_relu6=parameters.guided_relu6,
            quality=parameters.quality,
        )
