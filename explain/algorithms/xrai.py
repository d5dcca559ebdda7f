"""XRAI: the regions of the picture that integrated gradients point at.

Kapishnikov et al., XRAI: Better Attributions Through Regions, https://arxiv.org/abs/1906.02825. Attributions are
[H, W], equal within a region, and sum to those of the channel that speaks loudest at each pixel.
"""

from functools import partial

import torch

from explain.algorithm import Algorithm
from explain.attribution import Attribution, Explanation, finite
from explain.integration.baselines import baseline
from explain.integration.path_integral import averaged, integrals, late, scored_starts
from explain.integration.quadrature import halves, quadrature
from explain.method import BaselineName, Method
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import CpuTask, ExplanationSteps, ForwardPass
from explain.regions.ranking import ranked
from explain.regions.segments import segments

_BASELINES: tuple[BaselineName, ...] = ("black", "white")
_LAST = 8  # auto steps: more give the same regions
_FIRST, _REST = halves(_LAST)  # half of them are better than nothing where time is short


def _steps(subject: ExplainedImage, method: Method) -> ExplanationSteps:
    twice = method.pixel_scaling == "twice"
    names = method.baselines or _BASELINES
    own = ForwardPass(subject.inputs, method.output)
    if twice:
        pictures = [baseline(name, subject, method.seed) for name in names]
        end, *starts = [
            ForwardPass(subject.normalise(picture / 255), method.output) for picture in (subject.picture, *pictures)
        ]
        yield [own, end, *starts]
    else:
        end, starts = own, scored_starts(subject, method, names)
        yield [own, *starts]
    targets = subject.targets(own.logits)
    if not targets:
        return Explanation(own.logits, ())

    regions = CpuTask(lambda: segments(subject.picture.numpy()))
    rule = _FIRST if method.n_steps == "auto" else quadrature(method.approximation_method, method.n_steps)
    groups = [integrals([end], starts, target, method, rule) for target in targets]
    followed = [integral for group in groups for integral in group]
    yield [regions, *(path for integral in followed for path in integral.paths)]
    in_time = True
    if rule is _FIRST and method.max_steps >= _LAST and (in_time := not subject.enough(1)):
        yield [path for integral in followed for path in integral.add(_REST, 1 / 2)]

    found = [averaged(group) for group in groups]
    values = [attribution.values for attribution in found]
    if twice:
        differences = [(subject.picture - picture).permute(2, 0, 1) / 255 for picture in pictures]
        values = [
            torch.stack([i.gradient.cpu() * d for i, d in zip(group, differences, strict=True)]).mean(0)
            for group in groups
        ]
    ranking = partial(ranked, regions=regions.result, fast=method.xrai_fast, area_threshold=method.area_threshold)
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


def _count(method: Method) -> int:
    if method.n_steps == "auto":
        return _LAST if method.max_steps >= _LAST else _LAST // 2
    return method.n_steps


def _passes(method: Method, targets: int) -> int:
    starts = len(method.baselines or _BASELINES)
    return 1 + (method.pixel_scaling == "twice") + starts + 2 * _count(method) * starts * targets


ALGORITHM = Algorithm("xrai", _steps, _passes)
