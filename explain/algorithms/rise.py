"""RISE: what the score is where a place can be seen, over hundreds of images that are hidden in part at random.

Petsiuk et al., RISE: Randomized Input Sampling for Explanation of Black-box Models, https://arxiv.org/abs/1806.07421.
Attributions are [H, W]: the mean score of the masked images that show a pixel, less the mean score of all. No gradients
are needed, so the runtime that scores computes it.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.integration.baselines import baseline_pixels
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, ForwardPass, ScoredRows
from explain.perturbation.mask_sampling import FIRST_ROUND, MaskSampling
from explain.request.parameters import ExplanationParameters


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    forward = ForwardPass(image.network, image.inputs, parameters.output)
    yield [forward]
    targets = image.targets(forward.logits)
    if not targets:
        return Explanation(forward.logits, ())
    fills = [baseline_pixels(name, image, parameters.seed).numpy() for name in parameters.baseline]
    sampling = MaskSampling(
        image.pixels.numpy(), fills, n_masks=parameters.n_masks, share=parameters.mask_share, seed=parameters.seed
    )

    def collect(number: int, logits: Tensor) -> None:
        outputs = image.network.outputs(logits[None], parameters.output)[0]
        sampling.add(number, np.array([float(target.of(outputs)) for target in targets]))

    in_time = True
    while in_time and sampling.goes_on:
        numbers = sampling.next_round
        yield [ScoredRows(len(numbers), partial(_row, sampling), collect, first=numbers.start)]
        in_time = not (sampling.goes_on and image.out_of_time(sampling.growth))
    maps = torch.from_numpy(sampling.maps())
    return Explanation(
        forward.logits,
        tuple(
            Attribution(
                target,
                finite(values),
                notes=sampling.notes(position, agreement, in_time=in_time),
                forward_passes=1 + sampling.done,
                agreement=agreement,
            )
            for position, (target, values, agreement) in enumerate(
                zip(targets, maps, sampling.agreements(), strict=True)
            )
        ),
    )


def _row(sampling: MaskSampling, number: int) -> Tensor:
    return torch.from_numpy(sampling.masked(number))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + min(FIRST_ROUND, parameters.n_masks), 1 + parameters.n_masks)


ALGORITHM = Algorithm("rise", _steps, _passes, explains=frozenset({"classifier", "script"}))
