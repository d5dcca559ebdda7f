"""Images whose explanation is known: objects of two labels, one explained, the other a distractor.

Images on which the network misses one of the two labels have no known explanation and are left out; `drawn` and `kept`
count them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from examples.patterns.scene import LABELS, Mask, draw_scene
from explain.network.executor import Executor

_FIRST_SEED = 1_300_000  # far from the seeds of training


@dataclass(frozen=True, slots=True)
class Question:
    """One label of a scene to explain, with the masks of its object and of the other one, bool [H, W]."""

    target: int
    mask: Mask
    distractor: Mask


@dataclass(frozen=True, slots=True)
class Case:
    """An image as the network sees it, uint8 [H, W, 3], and a question about each of its objects."""

    seed: int
    image: Tensor
    questions: tuple[Question, ...]


class Scenes:
    """Yields cases without end, the same ones every time, whose labels all have a probability above `least`."""

    def __init__(self, executor: Executor, least: float = 0.5) -> None:
        self.executor = executor
        self.drawn = 0
        self.kept = 0
        self._least = least

    def __iter__(self) -> Iterator[Case]:
        for seed in count(_FIRST_SEED):
            case = _case(seed)
            targets = [question.target for question in case.questions]
            self.drawn += 1
            if float(self.probabilities(case.image[None])[0, targets].min()) > self._least:
                self.kept += 1
                yield case

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the probability of each label, [N, C], for images [N, H, W, 3] in [0, 255]."""
        with torch.no_grad():
            # A copy, since normalising works in place
            logits: Tensor = self.executor.network(self.executor.normalise(images.clone()))
            return logits.sigmoid()


def _case(seed: int) -> Case:
    scene = draw_scene(seed)
    one, other = scene.objects
    questions = (
        Question(LABELS.index(one.label), one.mask, other.mask),
        Question(LABELS.index(other.label), other.mask, one.mask),
    )
    return Case(seed, torch.from_numpy(scene.image), questions)
