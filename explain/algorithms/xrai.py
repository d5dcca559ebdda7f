"""XRAI: the regions of the image that integrated gradients point at.

Kapishnikov et al., XRAI: Better Attributions Through Regions, https://arxiv.org/abs/1906.02825. Attributions are
[H, W], equal within a region. Their sum is that of the largest channel of integrated gradients at each pixel.
"""

from collections.abc import Generator, Sequence
from functools import partial

import torch
from torch import Tensor

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.integration.baselines import baseline_pixels
from explain.integration.path_integral import (
    PathIntegral,
    average,
    baseline_passes,
    path_integrals,
    time_limit_note,
)
from explain.integration.quadrature import halves, quadrature
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import CpuTask, ExplanationSteps, ForwardPass, StageWork
from explain.regions.ranking import ranked
from explain.regions.segments import Segments, segments
from explain.request.parameter_types import ONE_NUMBER
from explain.request.parameters import ExplanationParameters

_AUTO_STEPS = 8  # more give the same regions
_FIRST_HALF, _SECOND_HALF = halves(_AUTO_STEPS)  # the first half is better than nothing where time is short


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    n_steps, double_scaling = parameters.n_steps, parameters.double_scaling
    forward = ForwardPass(image.network, image.inputs, parameters.output)
    raw_baselines: list[Tensor] = []
    if double_scaling:
        raw_baselines = [baseline_pixels(name, image, parameters.seed) for name in parameters.baseline]
        end, *baselines = _double_scaled_passes([image.pixels, *raw_baselines], image, parameters)
        yield [forward, end, *baselines]
    else:
        end, baselines = forward, baseline_passes(image, parameters)
        yield [forward, *baselines]
    targets = image.targets(forward.logits)
    if not targets:
        return Explanation(forward.logits, ())

    regions = CpuTask(lambda: segments(image.pixels.numpy()))
    rule = _FIRST_HALF if n_steps == "auto" else quadrature(parameters.approximation_method, n_steps)
    by_target = [path_integrals([end], baselines, target, parameters.output, rule) for target in targets]
    all_integrals = [integral for integrals in by_target for integral in integrals]
    yield [regions, *(path for integral in all_integrals for path in integral.paths)]
    in_time = True
    if n_steps == "auto" and (in_time := not image.out_of_time(1)):
        yield [path for integral in all_integrals for path in integral.add_steps(_SECOND_HALF, 1 / 2)]

    averages = [average(integrals) for integrals in by_target]
    values = [attribution.values for attribution in averages]
    if double_scaling:
        values = [_raw_attribution(integrals, image, raw_baselines) for integrals in by_target]
    maps = yield from _rank(values, regions.result, parameters)
    finish = _double_scaled if double_scaling else partial(_attribution, in_time=in_time)
    attributions = [finish(attribution, values) for attribution, values in zip(averages, maps, strict=True)]
    return Explanation(forward.logits, tuple(attributions))


def _double_scaled_passes(
    images: Sequence[Tensor], image: ExplainedImage, parameters: ExplanationParameters
) -> list[ForwardPass]:
    """Return a forward pass for each of `images`, [H, W, 3], divided by 255 once more than in training."""
    return [ForwardPass(image.network, image.normalise(pixels / 255), parameters.output) for pixels in images]


def _raw_attribution(integrals: Sequence[PathIntegral], image: ExplainedImage, baselines: Sequence[Tensor]) -> Tensor:
    """Weight gradients with differences of pixels in [0, 1], not normalised, as the hosted original does: [3, H, W]."""
    differences = [(image.pixels - pixels).permute(2, 0, 1) / 255 for pixels in baselines]
    weighted = [one.gradient.cpu() * difference for one, difference in zip(integrals, differences, strict=True)]
    return torch.stack(weighted).mean(0)


def _rank(
    values: Sequence[Tensor], regions: Segments, parameters: ExplanationParameters
) -> Generator[StageWork, None, list[Tensor]]:
    """Rank the regions by the largest channel of each map, [3, H, W]; returns maps [H, W]."""
    ranking = partial(ranked, regions=regions, fast=parameters.xrai_fast, area_threshold=parameters.area_threshold)
    cpu_tasks = [CpuTask(partial(ranking, value.amax(0).numpy())) for value in values]
    yield cpu_tasks
    return [finite(torch.from_numpy(cpu_task.result)) for cpu_task in cpu_tasks]


def _attribution(path: Attribution, values: Tensor, *, in_time: bool) -> Attribution:
    # a gap is reported without a note: averaging over regions evens out the error of few steps
    notes = () if in_time else (time_limit_note(path),)
    return Attribution(path.explained, values, path.n_steps, path.delta, path.gap, notes)


def _double_scaled(path: Attribution, values: Tensor) -> Attribution:
    note = "The network saw the picture divided by 255 twice, as the hosted original shows it: nearly black."
    return Attribution(path.explained, values, path.n_steps, notes=(note,))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    baselines, n_steps = len(parameters.baseline), parameters.n_steps
    once, each_step = 1 + parameters.double_scaling + baselines, 2 * baselines * targets
    least, most = (_AUTO_STEPS // 2, _AUTO_STEPS) if n_steps == "auto" else (n_steps, n_steps)
    return PassCount(once + each_step * least, once + each_step * most)


ALGORITHM = Algorithm("xrai", _steps, _passes, explains=frozenset({"classifier", "detector"}), aspects=ONE_NUMBER)
