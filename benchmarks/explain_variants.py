"""Rows of the table of explanations: ways to explain, and how they score where the truth is drawn."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.explain_scenes import Case, Question, Scenes
from benchmarks.explain_scores import (
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
from explain.integration.baselines import baseline
from explain.method import Method
from explain.network.executor import Executor
from explain.network.explained_image import fixed_targets
from explain.rendering.levels import Sign, weights
from explain.request.parameters import read_parameters
from explain.run import explain

FLOORS = ("random", "edge")
SCORES = ("point", "energy", "top-k", "t/d", "insert", "delete")
_POINTS = 11  # of an insertion or deletion curve, both ends included


@dataclass(frozen=True, slots=True)
class ExplanationVariant:
    """A row of the table: a way to explain, and how its attributions become a map."""

    method: Method
    sign: Sign

    @classmethod
    def asked_for(cls, request: Mapping[str, Any]) -> "ExplanationVariant":
        """Take what a request of this content would get."""
        parameters = read_parameters(request)
        return cls(Method.asked_for(parameters), parameters.sign)

    def maps(self, passes: Executor, case: Case) -> tuple[list[Weights], list[int | None]]:
        """Explain the questions of a case: a map for each, and the steps that each took."""
        targets = [question.target for question in case.questions]
        found = explain(passes, case.picture, self.method, fixed_targets(*targets)).attributions
        return [weights(one.values.numpy(), self.sign) for one in found], [one.n_steps for one in found]


@dataclass(slots=True)
class VariantScores:
    """What is known of one way to explain: for each question, its scores, its scene, seconds and steps."""

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
        """Return the means with their intervals."""
        found: dict[str, Any] = {name: interval(values, self.scenes) for name, values in self.scores.items()}
        found |= {"explanations": len(self.scenes), "seconds_each": self.seconds / len(self.scenes)}
        return found | ({"mean_steps": float(np.mean(self.steps))} if self.steps else {})


class Curves:
    """Insertion and deletion for one case: probabilities on the way between a blurred picture and the picture."""

    def __init__(self, scenes: Scenes, case: Case) -> None:
        self._scenes = scenes
        self._shape = case.picture.shape
        self._sharp = case.picture.float().reshape(-1, 3)
        self._blurred = baseline("blur", scenes.passes.subject(case.picture, fixed_targets())).reshape(-1, 3)
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
        pictures = torch.stack(tuple(rows)).reshape(-1, *self._shape)
        return torch.cat([self._scenes.probabilities(part) for part in torch.split(pictures, 6)])


def measure(
    scenes: Scenes, variants: Mapping[str, ExplanationVariant], wanted: int, minutes: float
) -> dict[str, VariantScores]:
    """Score every variant and the floors on the same `wanted` questions, or as many as `minutes` allow."""
    rows = {name: VariantScores() for name in (*variants, *FLOORS)}
    until = time.perf_counter() + 60 * minutes
    for case in scenes:
        maps: dict[str, list[Weights]] = {}
        for name, variant in variants.items():
            started = time.perf_counter()
            maps[name], steps = variant.maps(scenes.passes, case)
            rows[name].seconds += time.perf_counter() - started
            rows[name].steps += [step for step in steps if step is not None]
        noise = np.random.default_rng(case.seed)
        shape = case.picture.shape[:2]
        maps["random"] = [noise.random(shape, dtype=np.float32) for _ in case.questions]
        maps["edge"] = [edges(case.picture.numpy())] * len(case.questions)
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
    """Return by how much the scores of one row exceed those of another, question by question."""
    one, other = rows[name], rows[reference]
    return {
        score: interval([a - b for a, b in zip(one.scores[score], other.scores[score], strict=True)], one.scenes)
        for score in SCORES
    }
