"""Ways to explain, and how they score on drawn images, whose explanation is known: the rows of the quality table."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.quality.scenes import Case, Question, Scenes
from benchmarks.quality.scores import (
    Interval,
    Weights,
    contrast,
    edges,
    energy,
    interval,
    order,
    pointing,
    precision,
)
from explain.integration.baselines import baseline_pixels
from explain.network.executor import Executor
from explain.rendering.levels import weights
from explain.request.parameters import ExplanationParameters
from explain.request.targets import fixed_targets
from explain.run import explain

FLOORS = ("random", "edge")
SCORES = ("point", "energy", "top-k", "t/d", "insert", "delete")
_POINTS = 11  # of an insertion or deletion curve, both ends included


@dataclass(frozen=True, slots=True)
class ExplanationVariant:
    """A way to explain; `parameters` also say which sign of its attributions becomes a map."""

    parameters: ExplanationParameters

    def maps(self, executor: Executor, case: Case) -> tuple[list[Weights], list[int | None]]:
        """Explain the questions of a case; return a map for each and the steps that each took."""
        targets = [question.target for question in case.questions]
        attributions = explain(executor, case.image, self.parameters, fixed_targets(*targets)).attributions
        return [weights(one.values.numpy(), self.parameters.sign) for one in attributions], [
            one.n_steps for one in attributions
        ]


@dataclass(slots=True)
class VariantScores:
    """The results of one variant: scores and scene of each question, seconds in all, and steps."""

    scores: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SCORES})
    scenes: list[int] = field(default_factory=list)
    seconds: float = 0.0
    steps: list[int] = field(default_factory=list)

    def add(self, seed: int, scores: Mapping[str, float]) -> None:
        """Add one question."""
        self.scenes.append(seed)
        for name, value in scores.items():
            self.scores[name].append(value)

    def summary(self) -> dict[str, Any]:
        """Return the mean scores with their intervals, seconds and steps."""
        means: dict[str, Any] = {name: interval(values, self.scenes) for name, values in self.scores.items()}
        means |= {"explanations": len(self.scenes), "seconds_each": self.seconds / len(self.scenes)}
        return means | ({"mean_steps": float(np.mean(self.steps))} if self.steps else {})


class Curves:
    """Insertion and deletion for one case: probabilities of images between a blurred image and the image itself."""

    def __init__(self, scenes: Scenes, case: Case) -> None:
        self._scenes = scenes
        self._shape = case.image.shape
        self._sharp = case.image.float().reshape(-1, 3)
        image = scenes.executor.explained_image(case.image, fixed_targets())
        self._blurred = baseline_pixels("blur", image).reshape(-1, 3)
        self._ends = self._probabilities([self._blurred, self._sharp])

    def areas(self, weight: Weights, target: int, seed: int) -> tuple[float, float]:
        """Return the areas under the curves of insertion and deletion, each in [0, 1]."""
        pixels = torch.from_numpy(order(weight, seed))
        shares = np.linspace(0, 1, _POINTS)[1:-1]
        rows = []
        for under, over in ((self._blurred, self._sharp), (self._sharp, self._blurred)):
            for share in shares:
                row, chosen = under.clone(), pixels[: round(share * len(pixels))]
                row[chosen] = over[chosen]
                rows.append(row)
        inner = self._probabilities(rows)[:, target].reshape(2, -1)
        ends = float(self._ends[:, target].sum()) / 2
        insertion, deletion = ((ends + float(part.sum())) / (_POINTS - 1) for part in inner)
        return insertion, deletion

    def _probabilities(self, rows: Sequence[Tensor]) -> Tensor:
        images = torch.stack(tuple(rows)).reshape(-1, *self._shape)
        return torch.cat([self._scenes.probabilities(part) for part in torch.split(images, 6)])


def measure(
    scenes: Scenes, variants: Mapping[str, ExplanationVariant], wanted: int, minutes: float
) -> dict[str, VariantScores]:
    """Score every variant and the floors on the same `wanted` questions, or on as many as `minutes` allow."""
    rows = {name: VariantScores() for name in (*variants, *FLOORS)}
    until = time.perf_counter() + 60 * minutes
    for case in scenes:
        maps: dict[str, list[Weights]] = {}
        for name, variant in variants.items():
            started = time.perf_counter()
            maps[name], steps = variant.maps(scenes.executor, case)
            rows[name].seconds += time.perf_counter() - started
            rows[name].steps += [step for step in steps if step is not None]
        noise = np.random.default_rng(case.seed)
        shape = case.image.shape[:2]
        maps["random"] = [noise.random(shape, dtype=np.float32) for _ in case.questions]
        maps["edge"] = [edges(case.image.numpy())] * len(case.questions)
        curves = Curves(scenes, case)
        for name, row in rows.items():
            for question, weight in zip(case.questions, maps[name], strict=True):
                row.add(case.seed, _scores(weight, question, curves, case.seed))
        if len(rows["random"].scenes) >= wanted or time.perf_counter() > until:
            break
    return rows


def _scores(weight: Weights, question: Question, curves: Curves, seed: int) -> dict[str, float]:
    insertion, deletion = curves.areas(weight, question.target, seed)
    return {
        "point": pointing(weight, question.mask),
        "energy": energy(weight, question.mask),
        "top-k": precision(weight, question.mask),
        "t/d": contrast(weight, question.mask, question.distractor),
        "insert": insertion,
        "delete": deletion,
    }


def differences(rows: Mapping[str, VariantScores], name: str, reference: str) -> dict[str, Interval]:
    """Return by how much the scores of one variant exceed those of another, question by question."""
    one, other = rows[name], rows[reference]
    return {
        score: interval([a - b for a, b in zip(one.scores[score], other.scores[score], strict=True)], one.scenes)
        for score in SCORES
    }
