"""D-RISE: what a box needs to be found, over hundreds of images that are hidden in part at random.

Petsiuk et al., Black-box Explanation of Object Detectors via Saliency Maps, https://arxiv.org/abs/2006.03204.
Attributions are [H, W]: how similar the best row of the network is to the box, on average over the masked images that
show a pixel, less the average over all. No gradients are needed, so the runtime that scores computes it, and all boxes
of an image share its passes.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.detection.box_target import BoxTarget
from explain.detection.explained_boxes import ExplainedBoxes
from explain.detection.rows import Rows
from explain.detection.work_items import MaskedInputs
from explain.integration.baselines import baseline_pixels
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps
from explain.perturbation.mask_sampling import FIRST_ROUND, MaskSampling
from explain.request.parameters import ExplanationParameters
from explain.request.targets import ExplainedTarget

_CELLS_OF_BOX = 4  # along the shorter side of a box: coarser masks hide it as a whole
_LEAST_CELLS, _MOST_CELLS = 4, 32  # along the shorter side of the image: masks of many small cells differ too little


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    assert isinstance(image, ExplainedBoxes)
    boxes, size = image.boxes, (image.pixels.shape[0], image.pixels.shape[1])
    sampling = MaskSampling(
        image.pixels.numpy(),
        [baseline_pixels(name, image, parameters.seed).numpy() for name in parameters.baseline],
        n_masks=parameters.n_masks,
        share=parameters.mask_share,
        seed=parameters.seed,
        cells=_cells(boxes, size),
    )

    def collect(number: int, rows: Rows) -> None:
        sampling.add(number, np.array([_similarity(box, rows) for box in boxes]))

    in_time = True
    while in_time and sampling.goes_on:
        numbers = sampling.next_round
        yield [MaskedInputs(image, len(numbers), partial(_masked, sampling), collect, first=numbers.start)]
        in_time = not (sampling.goes_on and image.out_of_time(sampling.growth))
    maps = torch.from_numpy(sampling.maps())
    attributions = [
        Attribution(
            ExplainedTarget(number),
            finite(values),
            notes=sampling.notes(number, agreement, in_time=in_time),
            agreement=agreement,
        )
        for number, (values, agreement) in enumerate(zip(maps, sampling.agreements(), strict=True))
    ]
    return Explanation(torch.zeros(len(boxes), 2), tuple(attributions))


def _masked(sampling: MaskSampling, number: int) -> Tensor:
    return torch.from_numpy(sampling.masked(number))


def _similarity(box: BoxTarget, rows: Rows) -> float:
    assert box.probabilities is not None
    return rows.similarity(box.corners, box.label, box.probabilities)


def _cells(boxes: Sequence[BoxTarget], size: tuple[int, int]) -> int:
    """Return the cells of a mask along the shorter side of the image, for the smallest of the boxes."""
    shortest = min(float(min(box.corners[2] - box.corners[0], box.corners[3] - box.corners[1])) for box in boxes)
    return round(min(max(_CELLS_OF_BOX * min(size) / max(shortest, 1.0), _LEAST_CELLS), _MOST_CELLS))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(min(FIRST_ROUND, parameters.n_masks), parameters.n_masks)


ALGORITHM = Algorithm("drise", _steps, _passes, explains=frozenset({"detector"}), needs_rows=True)
