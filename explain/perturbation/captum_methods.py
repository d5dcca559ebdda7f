"""captum's perturbation methods: captum says what to hide and sums up what that did; our executor scores it in between.

What captum hides depends on the seed and not on scores. So it runs twice: once it only tells all it wants scored, and
once it is given the scores, of as much as there was time for. In between, rows share batches with those of others and
leave scoring its turns, and a run that is dropped leaves nothing behind. captum sees an image as one number for each of
its places, 1 where the place is visible and 0 where it is hidden; that equals its `feature_mask` on pixels, and costs
next to nothing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.integration.baselines import baseline_pixels
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import CpuTask, ExplanationSteps, ForwardPass, ScoredRows
from explain.perturbation.places import Places, grid, superpixels
from explain.request.parameters import ExplanationParameters

# visibility of the places, float32 [N, *shape] -> an output for each, float32 [N]
Forward = Callable[[Tensor], Tensor]

CELLS = 16  # of a grid of places, along the shorter side
_ROUND = 32  # rows between two looks at the clock
AT_ONCE = 16  # rows that captum asks for in one call

_own_randomness = threading.Lock()


@dataclass(frozen=True, slots=True)
class CaptumMethod:
    """A method of captum. `attribute(forward, visible, n_samples)` runs it on an image whose places are all visible.

    Places are those of a grid with `on_grid`, else superpixels. `samples(rows, places)` is the largest number of
    samples that so many rows suffice for; None where the method has a fixed set of rows.
    """

    attribute: Callable[[Forward, Tensor, int], Tensor]
    samples: Callable[[int, int], int] | None = None
    on_grid: bool = False


@dataclass(frozen=True, slots=True)
class _Cut:
    """An image in `count` places. For captum, they have a `shape`."""

    places: Places
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return int(np.prod(self.shape))


def captum_algorithm(name: str, method: CaptumMethod, passes: Callable[[ExplanationParameters], int]) -> Algorithm:
    """Return the algorithm `name`, which scores about as many rows as `passes` says."""

    def count(parameters: ExplanationParameters, targets: int) -> PassCount:
        most = 1 + passes(parameters)
        least = most if method.samples is None else min(most, 1 + _first_round(parameters.n_segments))
        return PassCount(least, most)

    return Algorithm(name, partial(_steps, method), count)


def _steps(method: CaptumMethod, image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    forward = ForwardPass(image.network, image.inputs, parameters.output)
    cutting = CpuTask(partial(_cut, method, image.pixels.numpy(), parameters.n_segments))
    yield [forward, cutting]
    targets = image.targets(forward.logits)
    if not targets:
        return Explanation(forward.logits, ())
    cut: _Cut = cutting.result
    n_samples = method.samples(parameters.n_masks, cut.count) if method.samples else 0
    asking = CpuTask(partial(_asked, method, cut, max(1, n_samples), parameters.seed))
    yield [asking]
    visible: NDArray[np.bool_] = asking.result
    fill = np.mean([baseline_pixels(name, image, parameters.seed).numpy() for name in parameters.baseline], axis=0)
    row = partial(_row, image.pixels.numpy(), np.rint(fill).astype(np.uint8), cut.places, visible)
    outputs: list[Tensor] = []

    def collect(number: int, logits: Tensor) -> None:
        outputs.append(image.network.outputs(logits[None], parameters.output)[0].clone())

    while len(outputs) < len(visible):
        stop = min(len(visible), len(outputs) + (_ROUND if outputs else _first_round(cut.count)))
        yield [ScoredRows(stop - len(outputs), row, collect, first=len(outputs))]
        left = len(visible) - len(outputs)
        if left and method.samples and image.out_of_time(min(left, _ROUND) / len(outputs)):
            break
    notes = () if len(outputs) == len(visible) else (f"Time allowed for {len(outputs)} of {len(visible)} masks.",)
    if notes and method.samples:
        n_samples = method.samples(len(outputs), cut.count)
    sum_up = partial(_summed, method, cut, max(1, n_samples), parameters.seed)
    summing = [CpuTask(partial(sum_up, torch.stack([target.of(row) for row in outputs]))) for target in targets]
    yield summing
    return Explanation(
        forward.logits,
        tuple(
            Attribution(target, finite(task.result), notes=notes, forward_passes=1 + len(outputs))
            for target, task in zip(targets, summing, strict=True)
        ),
    )


def _first_round(places: int) -> int:
    return max(_ROUND, places + 2)  # enough for one sample of any method


def _cut(method: CaptumMethod, pixels: NDArray[np.uint8], n_segments: int) -> _Cut:
    if method.on_grid:
        places, (rows, columns) = grid(pixels.shape[0], pixels.shape[1], CELLS)
        return _Cut(places, (1, rows, columns))
    places = superpixels(pixels, n_segments)
    return _Cut(places, (int(places.max()) + 1,))


def _asked(method: CaptumMethod, cut: _Cut, n_samples: int, seed: int) -> NDArray[np.bool_]:
    """Return what captum wants scored: which places are visible, bool [N, places]."""
    asked: list[Tensor] = []

    def forward(batch: Tensor) -> Tensor:
        asked.append(batch.flatten(1) > 0.5)
        return torch.zeros(len(batch))

    with _seeded(seed):
        method.attribute(forward, torch.ones(1, *cut.shape), n_samples)
    return torch.cat(asked).numpy()


def _summed(method: CaptumMethod, cut: _Cut, n_samples: int, seed: int, outputs: Tensor) -> Tensor:
    """Run captum again on the outputs, [N], of what it asked for; returns the value of each pixel's place, [H, W]."""
    given = 0

    def forward(batch: Tensor) -> Tensor:
        nonlocal given
        given += len(batch)
        return outputs[given - len(batch) : given]

    with _seeded(seed):
        values = method.attribute(forward, torch.ones(1, *cut.shape), n_samples)
    return values.detach().flatten().float()[torch.from_numpy(cut.places)]


def _row(
    pixels: NDArray[np.uint8], fill: NDArray[np.uint8], places: Places, visible: NDArray[np.bool_], number: int
) -> Tensor:
    return torch.from_numpy(np.where(visible[number][places][..., None], pixels, fill))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's own generator, from which captum draws, and restore it; one thread at a time."""
    with _own_randomness, torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        yield
