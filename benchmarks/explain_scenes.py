"""Pictures whose explanation is known: objects of two labels, one asked for, the other a distractor.

Pictures of which the network does not tell both labels have no known answer and are left out; `asked` and `kept` count.
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
    """One label of a scene to explain: where its object is, and where the other one is, bool [H, W]."""

    target: int
    mask: Mask
    distractor: Mask


@dataclass(frozen=True, slots=True)
class Case:
    """A picture as the network sees it, uint8 [H, W, 3], and a question about each of its objects."""

    seed: int
    picture: Tensor
    questions: tuple[Question, ...]


class Scenes:
    """Draws cases without end, the same ones every time: those whose labels all have a probability above `least`."""

    def __init__(self, passes: Executor, least: float = 0.5) -> None:
        self.passes = passes
        self.asked = 0
        self.kept = 0
        self._least = least

    def __iter__(self) -> Iterator[Case]:
        for seed in count(_FIRST_SEED):
            case = _case(seed)
            targets = [question.target for question in case.questions]
            self.asked += 1
            if float(self.probabilities(case.picture[None])[0, targets].min()) > self._least:
                self.kept += 1
                yield case

    def probabilities(self, pictures: Tensor) -> Tensor:
        """Score pictures, [N, H, W, 3] in [0, 255]: the probability of each label, [N, C]."""
        with torch.no_grad():
            # a copy, since normalising works in place
            logits: Tensor = self.passes.network(self.passes.normalise(pictures.clone()))
            return logits.sigmoid()


def _case(seed: int) -> Case:
    scene = draw_scene(seed)
    one, other = scene.objects
    questions = (
        Question(LABELS.index(one.label), one.mask, other.mask),
        Question(LABELS.index(other.label), other.mask, one.mask),
    )
    return Case(seed, torch.from_numpy(scene.image), questions)
