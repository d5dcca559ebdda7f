"""Pictures whose explanation is known: two drawn objects of different labels, one asked for, the other a distractor.

The demo model was trained on one object at a time and its labels compete, so what speaks for one may also speak against
the other. Still it tells the two apart: where the object asked for is painted over, its output falls further than where
the other is. Questions of which that is not so have no known answer and are left out; `asked` and `kept` count them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, count

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from examples.fridge.scene import LABELS, draw_scene
from explain.passes import Passes
from models.loaded import LoadedModel

Mask = NDArray[np.bool_]

_PAIRS = tuple(combinations(LABELS, 2))
_FIRST_SEED = 700_000  # far from the seeds of training
_SMALLEST = 0.02  # of the picture; less of an object is hidden behind the other, or outside of the crop


@dataclass(frozen=True, slots=True)
class Question:
    """One label of a scene to explain: where its object is, and where the other one is, bool [H, W]."""

    target: int
    mask: Mask
    distractor: Mask


@dataclass(frozen=True, slots=True)
class Case:
    """A picture as the network sees it, uint8 [H, W, 3], and one or two questions about it."""

    seed: int
    picture: Tensor
    questions: tuple[Question, ...]


class Scenes:
    """Draws cases for the demo model without end, the same ones every time, seen as the server sees them."""

    def __init__(self, model: LoadedModel) -> None:
        model.network.requires_grad_(False)
        self.passes = Passes.through(model)
        self.asked = 0
        self.kept = 0
        self._preprocess, self._labels = model.preprocess, model.definition.labels

    def __iter__(self) -> Iterator[Case]:
        for seed in count(_FIRST_SEED):
            case = self._case(seed)
            if case.questions:
                yield case

    def probabilities(self, pictures: Tensor) -> Tensor:
        """Score pictures, [N, H, W, 3] in [0, 255]: the probability of each label, [N, C]."""
        return self._logits(pictures).softmax(1)

    def _logits(self, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            logits: Tensor = self.passes.network(self.passes.normalise(pictures.clone()))
            return logits

    def _case(self, seed: int) -> Case:
        picture, masks, targets = self._draw(seed)
        if min(mask.mean() for mask in masks) < _SMALLEST:
            return Case(seed, picture, ())
        logits = self._logits(torch.stack([picture, *(painted_over(picture, mask) for mask in masks)]))
        falls = (logits[0] - logits[1:])[:, targets]  # [painted over, target]
        questions = [
            Question(targets[own], masks[own], masks[1 - own])
            for own in range(2)
            if falls[own, own] > max(0.0, float(falls[1 - own, own]))
        ]
        self.asked += 2
        self.kept += len(questions)
        return Case(seed, picture, tuple(questions))

    def _draw(self, seed: int) -> tuple[Tensor, list[Mask], list[int]]:
        """Draw a square picture, so that the crop loses little: it, the masks of its objects, and their targets."""
        side = self._preprocess.resize
        scene = draw_scene(seed, size=(side, side), labels=_PAIRS[seed % len(_PAIRS)])
        picture = self._preprocess.picture(Image.fromarray(scene.picture))
        masks = [self._seen(item.mask) for item in scene.items]
        return picture, masks, [self._labels.index(item.label) for item in scene.items]

    def _seen(self, mask: Mask) -> Mask:
        """Resize and crop a mask as the picture is."""
        grey = np.repeat((mask * np.uint8(255))[..., None], 3, axis=2)
        seen: Mask = self._preprocess.picture(Image.fromarray(grey)).numpy()[..., 0] > 127
        return seen


def painted_over(picture: Tensor, mask: Mask) -> Tensor:
    """Fill the object and a margin of two pixels with the blurred surroundings: uint8 [H, W, 3]."""
    values = picture.numpy().astype(np.float32)
    sigma = min(mask.shape) / 16
    hole = ndimage.binary_dilation(mask, iterations=2)[..., None]
    around = ndimage.gaussian_filter(np.where(hole, 0, values), (sigma, sigma, 0))
    share = ndimage.gaussian_filter((~hole).astype(np.float32), (sigma, sigma, 0))
    filled = np.where(hole, around / np.maximum(share, 1e-3), values)
    return torch.from_numpy(filled.clip(0, 255).astype(np.uint8))
