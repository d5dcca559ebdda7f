"""XRAI: the regions of the picture that integrated gradients point at.

Kapishnikov et al., XRAI: Better Attributions Through Regions, https://arxiv.org/abs/1906.02825. Attributions are
[H, W], equal within a region, and sum to those of the channel that speaks loudest at each pixel.
"""

from functools import partial

import torch

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.integration.baselines import baseline
from explain.integration.path_integral import averaged, integrals, late, scored_starts
from explain.integration.quadrature import halves, quadrature
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import CpuTask, ExplanationSteps, ForwardPass
from explain.regions.ranking import ranked
from explain.regions.segments import segments
from explain.request.parameters import ExplanationParameters

_LAST = 8  # auto steps: more give the same regions
_FIRST, _REST = halves(_LAST)  # half of them are better than nothing where time is short


def _steps(subject: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    twice = parameters.double_scaling
    own = ForwardPass(subject.inputs, parameters.output)
    if twice:
        pictures = [baseline(name, subject, parameters.seed) for name in parameters.baseline]
        end, *starts = [
            ForwardPass(subject.normalise(picture / 255), parameters.output) for picture in (subject.picture, *pictures)
        ]
        yield [own, end, *starts]
    else:
        end, starts = own, scored_starts(subject, parameters)
        yield [own, *starts]
    targets = subject.targets(own.logits)
    if not targets:
        return Explanation(own.logits, ())

    regions = CpuTask(lambda: segments(subject.picture.numpy()))
    rule = _FIRST if parameters.n_steps == "auto" else quadrature(parameters.approximation_method, parameters.n_steps)
    groups = [integrals([end], starts, target, parameters, rule) for target in targets]
    followed = [integral for group in groups for integral in group]
    yield [regions, *(path for integral in followed for path in integral.paths)]
    in_time = True
    if rule is _FIRST and (in_time := not subject.enough(1)):
        yield [path for integral in followed for path in integral.add(_REST, 1 / 2)]

    found = [averaged(group) for group in groups]
    values = [attribution.values for attribution in found]
    if twice:
        differences = [(subject.picture - picture).permute(2, 0, 1) / 255 for picture in pictures]
        values = [
            torch.stack([i.gradient.cpu() * d for i, d in zip(group, differences, strict=True)]).mean(0)
            for group in groups
        ]
    ranking = partial(
        ranked, regions=regions.result, fast=parameters.xrai_fast, area_threshold=parameters.area_threshold
    )
    cpu_tasks = [CpuTask(partial(ranking, value.amax(0).numpy())) for value in values]
    yield cpu_tasks
    maps = [finite(torch.from_numpy(cpu_task.result)) for cpu_task in cpu_tasks]
    answer = _twice if twice else partial(_answer, in_time=in_time)
    return Explanation(own.logits, tuple(answer(one, map_) for one, map_ in zip(found, maps, strict=True)))


def _answer(path: Attribution, values: torch.Tensor, *, in_time: bool) -> Attribution:
    # regions average over what few steps get wrong, so a gap is a figure here and no reason for a note
    notes = () if in_time else (late(path),)
    return Attribution(path.target, values, path.n_steps, path.delta, path.gap, notes)


def _twice(path: Attribution, values: torch.Tensor) -> Attribution:
    note = "The network saw the picture divided by 255 twice, as the hosted original shows it: nearly black."
    return Attribution(path.target, values, path.n_steps, notes=(note,))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    starts, n_steps = len(parameters.baseline), parameters.n_steps
    once, each_step = 1 + parameters.double_scaling + starts, 2 * starts * targets
    least, most = (_LAST // 2, _LAST) if n_steps == "auto" else (n_steps, n_steps)
    return PassCount(once + each_step * least, once + each_step * most)


ALGORITHM = Algorithm("xrai", _steps, _passes)
