"""make bench-explain, first half: whether explanations point at what they should.

Asks the demo model about drawn pictures of two objects, and scores each algorithm's map, as it would be drawn by
default, against the mask of the object that was asked for:

- `point`: its strongest pixel lies on the object
- `energy`: the share of its weight on the object
- `top-k`: the share of the k strongest pixels on the object, which has k
- `t/d`: its density on the object as a share of that on both objects; 0.5 tells nothing apart
- `insert`, `delete`: the mean probability while pixels, strongest first, come into a blurred picture, or leave for it

`random` and `edge` are floors: noise, and the edges of the picture. Then the weights are drawn anew, and maps that
change little have not explained the network. Means stand with their 95 % interval.
"""

import argparse
import copy
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.explain_scenes import Case, Question, Scenes
from benchmarks.explain_scores import (
    Interval,
    Weights,
    contrast,
    edges,
    energy,
    interval,
    likeness,
    order,
    pointing,
    precision,
)
from benchmarks.machine import describe_machine
from explain.baselines import baseline
from explain.method import Method
from explain.parameters import read_parameters
from explain.passes import Passes
from explain.pictures.levels import Sign, weights
from explain.run import explain
from explain.subject import these
from models.loaded import load

RESULTS = Path(__file__).parent / "results"
DEMO = Path("demo/fridge")
FLOORS = ("random", "edge")
SCORES = ("point", "energy", "top-k", "t/d", "insert", "delete")
CHECKED = ("xrai", "integrated_gradients", "gradcam", "guided_gradcam", "guided_backprop")
_REQUESTS: Mapping[str, Mapping[str, Any]] = {
    **{name: {"xai_algorithm": name} for name in CHECKED},
    "xrai, azureml": {"xai_algorithm": "xrai", "compatibility": "azureml"},
}
_MORE_STEPS: Mapping[str, Mapping[str, Any]] = {
    "xrai, 2x50 steps": {"xai_algorithm": "xrai", "n_steps": 50},
    "xrai, not fast": {"xai_algorithm": "xrai", "xrai_fast": False},
}
_POINTS = 11  # of an insertion or deletion curve, both ends included
_DRAWN_ANEW: Mapping[str, tuple[str, ...]] = {"head": ("fc",), "last stage": ("layer4", "fc"), "all": ("",)}


@dataclass(frozen=True, slots=True)
class Explainer:
    """A row of the table: a way to explain, and how its attributions become a map."""

    method: Method
    sign: Sign

    @classmethod
    def asked_for(cls, request: Mapping[str, Any]) -> "Explainer":
        """Take what a request of this content would get."""
        parameters = read_parameters(request)
        return cls(Method.asked_for(parameters), parameters.sign)

    def maps(self, passes: Passes, case: Case) -> tuple[list[Weights], list[int | None]]:
        """Explain the questions of a case: a map for each, and the steps that each took."""
        targets = [question.target for question in case.questions]
        found = explain(passes, case.picture, self.method, these(*targets)).attributions
        return [weights(one.values.numpy(), self.sign) for one in found], [one.n_steps for one in found]


@dataclass(slots=True)
class Row:
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
        self._blurred = baseline("blur", scenes.passes.subject(case.picture, these())).reshape(-1, 3)
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


def measure(scenes: Scenes, explainers: Mapping[str, Explainer], wanted: int, minutes: float) -> dict[str, Row]:
    """Score every explainer and the floors on the same `wanted` questions, or as many as `minutes` allow."""
    rows = {name: Row() for name in (*explainers, *FLOORS)}
    until = time.perf_counter() + 60 * minutes
    for case in scenes:
        maps: dict[str, list[Weights]] = {}
        for name, explainer in explainers.items():
            started = time.perf_counter()
            maps[name], steps = explainer.maps(scenes.passes, case)
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


def check_weights(scenes: Scenes, explainers: Mapping[str, Explainer], number: int) -> dict[str, dict[str, Interval]]:
    """Return the rank correlation of maps before and after some weights are drawn anew, per explainer and part."""
    passes = scenes.passes
    cases = list(islice(scenes, number))
    before = {name: [one.maps(passes, case)[0] for case in cases] for name, one in explainers.items()}
    found: dict[str, dict[str, Interval]] = {name: {} for name in explainers}
    inputs = torch.cat([passes.normalise(case.picture[None].float()) for case in cases])
    for extent, parts in _DRAWN_ANEW.items():
        other = replace(passes, network=drawn_anew(passes.network, parts, inputs))
        for name, explainer in explainers.items():
            alike, seeds = [], []
            for case, maps in zip(cases, before[name], strict=True):
                after, _ = explainer.maps(other, case)
                alike += [likeness(one, two) for one, two in zip(maps, after, strict=True)]
                seeds += [case.seed] * len(maps)
            found[name][extent] = interval(alike, seeds)
    return found


def drawn_anew(network: nn.Module, parts: Sequence[str], inputs: Tensor) -> nn.Module:
    """Copy a network, its parts ("" for all of it) initialised again and their batch norms fitted to `inputs`."""
    other = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        for part in parts:
            for module in other.get_submodule(part).modules():
                if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                    module.reset_parameters()
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = None
                    module.train()
        other(inputs)
    return other.eval()


def print_rows(rows: Mapping[str, Row]) -> None:
    """Print the table."""
    print(f"{'':22}" + "".join(f"{name:>21}" for name in SCORES) + f"{'s each':>8}{'steps':>7}")
    for name, row in rows.items():
        summary = row.summary()
        cells = "".join(f"{_cell(summary[score]):>21}" for score in SCORES)
        steps = f"{summary['mean_steps']:7.1f}" if row.steps else ""
        print(f"{name:22}{cells}{summary['seconds_each']:8.2f}{steps}")


def differences(rows: Mapping[str, Row], name: str, reference: str) -> dict[str, Interval]:
    """Return by how much the scores of one row exceed those of another, question by question."""
    one, other = rows[name], rows[reference]
    return {
        score: interval([a - b for a, b in zip(one.scores[score], other.scores[score], strict=True)], one.scenes)
        for score in SCORES
    }


def _cell(value: Interval) -> str:
    return f"{value[0]:.3f} ({value[1]:.2f}..{value[2]:.2f})"


def bench_scenes(
    scenes: Scenes, explainers: Mapping[str, Explainer], wanted: int, minutes: float, checked: int
) -> dict[str, Any]:
    """Measure, and print the tables."""
    rows = measure(scenes, explainers, wanted, minutes)
    asked, kept = scenes.asked, scenes.kept
    print(f"\n{len(rows['random'].scenes)} explanations a row; {kept} of {asked} questions have a known answer")
    print_rows(rows)
    more = {name: differences(rows, name, "xrai") for name in _MORE_STEPS if name in rows}
    for name, cells in more.items():
        print(f"{name}, less xrai: " + ", ".join(f"{score} {_signed(cell)}" for score, cell in cells.items()))
    randomised = check_weights(scenes, {name: explainers[name] for name in CHECKED}, checked)
    print(f"rank correlation with the maps of weights drawn anew, {checked} scenes")
    print(f"{'':22}" + "".join(f"{extent:>21}" for extent in _DRAWN_ANEW))
    for name, extents in randomised.items():
        print(f"{name:22}" + "".join(f"{_cell(value):>21}" for value in extents.values()))
    return {
        "asked": asked,
        "kept": kept,
        "rows": {name: row.summary() for name, row in rows.items()},
        "differences": more,
        "randomised": randomised,
    }


def main() -> None:
    """Measure, print, and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain_quality", description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=DEMO, help="a folder of the demo model")
    parser.add_argument("--count", type=int, default=200, help="explanations for each row")
    parser.add_argument("--minutes", type=float, default=60, help="stop earlier, with fewer explanations")
    parser.add_argument("--checked", type=int, default=12, help="scenes for which weights are drawn anew")
    parser.add_argument("--steps", action="store_true", help="also rank XRAI with 2x50 steps, and not fast")
    parser.add_argument("--quick", action="store_true", help="few explanations, to see that it works")
    options = parser.parse_args()
    wanted, checked = (12, 2) if options.quick else (options.count, options.checked)
    requests = {**_REQUESTS, **(_MORE_STEPS if options.steps else {})}
    explainers = {name: Explainer.asked_for(request) for name, request in requests.items()}
    machine = describe_machine()
    print(json.dumps(machine))
    result: dict[str, Any] = {"machine": machine}
    result |= bench_scenes(Scenes(load(options.model)), explainers, wanted, options.minutes, checked)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"explain-quality-{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.write_text(json.dumps(result, indent=1))
    print(f"\nwritten to {file}")


def _signed(value: Interval) -> str:
    return f"{value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"


if __name__ == "__main__":
    main()
