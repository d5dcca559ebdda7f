"""Whether maps of boxes point at what they should: python -m benchmarks.boxes.quality [--folder FOLDER] [--count 200].

Trains a small Faster R-CNN on images of two objects, whose label is decided by a patch of colour on each, and explains
each box of unseen ones. Scores of a map, for the object whose box it is of:

- `point`: whether the strongest pixel lies in the box
- `energy`: the share of the map's positive values in the box, over the share of the image that the box covers
- `other`, `same`: how often the map is denser on the object than on the other one, which has another label or the same
- `delete`: the area under the score of the box while pixels are blurred, strongest first, over the score itself
- `cue`: of the strongest pixels of the object, as many as its patch has, the share on the patch, over the share of the
  object that the patch covers
- `new head`: the rank correlation with the map after the weights of the box head are initialised again

`box filled`, `edges` and `noise` are floors: a map that is 1 in the box, the edges of the image, and noise.
"""

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.boxes.marked_scenes import SIZE, MarkedObject, MarkedScene, draw_marked_scene
from benchmarks.boxes.trained_detector import FIRST_SEED, trained_detector
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from benchmarks.quality.scores import Weights, edges, energy, interval, likeness, order, precision
from explain.detection.executor import DetectorExecutor
from explain.detection.run import explain_boxes
from explain.detection.steps import ObjectExplanation
from explain.detection.work_items import DetectionPass, MaskedInputs
from explain.integration.baselines import baseline_pixels
from explain.network.explained_image import no_time_limit
from explain.network.work_items import WorkSlice
from explain.request.parameters import read_parameters
from models.detection.inputs import detector_inputs
from models.detector import Detector
from models.images.model_input import DecodedImage

_REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "odam": {},
    "odam, whole box": {"aspect": "box"},
    "integrated_gradients": {},
    "xrai": {},
    "drise": {"n_masks": 512},
}
_SCORES = ("point", "energy", "other", "same", "delete", "cue")
_WANTED: Mapping[str, Mapping[str, float]] = {
    "odam": {"point": 0.95, "energy": 6, "other": 0.97, "same": 0.95, "delete": 0.6, "cue": 1.5, "new head": 0.3},
    "integrated_gradients": {
        "point": 0.95, "energy": 5, "other": 0.95, "same": 0.9, "delete": 0.5, "cue": 2, "new head": 0.3
    },
    "xrai": {"point": 0.85, "energy": 3, "other": 0.95, "same": 0.9, "delete": 0.5, "cue": 2, "new head": 0.3},
    "drise": {"point": 0.85, "energy": 2, "other": 0.85, "same": 0.85, "delete": 0.5, "cue": 1.3, "new head": 0.3},
}  # fmt: skip
_MOST = ("delete", "new head")  # of these, less is better
_POINTS = 11  # of a curve, both ends included


@dataclass(frozen=True, slots=True)
class BoxQuestion:
    """A box that was found in a scene, by its position in the reply, the object that it is of, and the other object."""

    seed: int
    position: int
    own: MarkedObject
    other: MarkedObject


@dataclass(slots=True)
class BoxRow:
    """The scores of one way to explain, each with the seed of its scene."""

    scores: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in (*_SCORES, "new head")})
    seeds: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in (*_SCORES, "new head")})
    seconds: float = 0.0

    def add(self, seed: int, scores: Mapping[str, float]) -> None:
        """Add the scores of a map."""
        for name, value in scores.items():
            self.scores[name].append(value)
            self.seeds[name].append(seed)


class BoxBench:
    """Explains boxes of marked scenes with one detector."""

    def __init__(self, model: Detector) -> None:
        self.model = model
        self.executor = DetectorExecutor(lambda: model)
        self.labels = list(model.definition.labels)

    def decoded(self, scene: MarkedScene) -> DecodedImage:
        """Return a scene as the detector's input."""
        return detector_inputs(torch.from_numpy(scene.image), self.model.adapter, self.model.definition.settings.values)

    def explain(self, image: DecodedImage, request: Mapping[str, Any], targets: Sequence[Any]) -> ObjectExplanation:
        """Explain boxes of an image: positions in the reply, or boxes as a request gives them."""
        parameters = read_parameters({**request, "target": list(targets)}).for_kind("detector")
        return explain_boxes(self.executor, image, self.labels, parameters, batch_size=8)

    def questions(self, seed: int, scene: MarkedScene, image: DecodedImage) -> list[BoxQuestion]:
        """Return the boxes that were found of both objects; none where one was missed."""
        scored = DetectionPass(image.inputs[0].data)
        self.executor.run([WorkSlice(scored, 0, 1)], 1)
        found = scored.detections
        boxes = found.boxes.numpy() * (SIZE * 2)
        asked = []
        for number, own in enumerate(scene.objects):
            near = [
                position
                for position, box in enumerate(boxes)
                if self.labels[int(found.labels[position])] == own.label and _overlap(box, own.box) > 0.5
            ]
            if near:
                asked.append(BoxQuestion(seed, near[0], own, scene.objects[1 - number]))
        return asked if len(asked) == len(scene.objects) else []


class DeletionCurve:
    """The score of a box while pixels of an image, float32 [H, W, 3], are replaced by those of a blurred one."""

    def __init__(self, bench: BoxBench, image: DecodedImage) -> None:
        self._bench = bench
        self._scored = DetectionPass(image.inputs[0].data, with_rows=True)
        bench.executor.run([WorkSlice(self._scored, 0, 1)], 1)
        self._boxes = bench.executor.explained_boxes(self._scored, (), no_time_limit)
        self._sharp = self._boxes.pixels.float()
        self._blurred = baseline_pixels("blur", self._boxes)

    def area(self, weight: Weights, question: BoxQuestion) -> float:
        """Return the area under the curve, over the score of the whole image."""
        found, (height, width) = self._scored.detections, self._scored.source.size
        corners = found.boxes[question.position] * torch.tensor([width, height] * 2)
        label = int(found.labels[question.position])
        ranks = np.empty(weight.size, np.int64)
        ranks[order(weight, question.seed)] = np.arange(weight.size)
        rank = torch.from_numpy(ranks.reshape(weight.shape))
        scores: list[float] = []

        def row(number: int) -> torch.Tensor:
            gone = rank < number * rank.numel() // (_POINTS - 1)
            return torch.where(gone[..., None], self._blurred, self._sharp).round().to(torch.uint8)

        def collect(number: int, rows: Any) -> None:
            scores.append(float((rows.overlaps(corners, label) * rows.scores(label)).max()))

        item = MaskedInputs(self._boxes, _POINTS, row, collect)
        self._bench.executor.run([WorkSlice(item, 0, _POINTS)], _POINTS)
        return float(np.trapezoid(scores) / (_POINTS - 1)) / max(scores[0], 1e-6)


def main() -> None:
    """Train, explain, print the table and the verdicts, and write all numbers to a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boxes.quality", description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, help="keep the trained detector here, and read it from there")
    parser.add_argument("--count", type=int, default=200, help="explanations for each row")
    parser.add_argument("--checked", type=int, default=20, help="scenes that are explained again with a new head")
    parser.add_argument("--only", default=";".join(_REQUESTS), help="rows, separated by semicolons")
    options = parser.parse_args()
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, torch {machine['versions']['torch']}")  # type: ignore[index]
    with tempfile.TemporaryDirectory() as temporary:
        bench = BoxBench(trained_detector(options.folder or Path(temporary)))
        requests = {name: {"xai_algorithm": name.partition(",")[0], **more} for name, more in _REQUESTS.items()}
        chosen = {name: request for name, request in requests.items() if name in options.only.split(";")}
        rows = measured(bench, chosen, options.count, options.checked)
    print_rows(rows)
    missed = print_verdicts(rows)
    content = {
        name: {score: interval(values, row.seeds[score]) for score, values in row.scores.items() if values}
        for name, row in rows.items()
    }
    write_report("boxes-quality", {"machine": machine, "rows": content, "missed": missed})


def measured(
    bench: BoxBench, requests: Mapping[str, Mapping[str, Any]], wanted: int, checked: int
) -> dict[str, BoxRow]:
    """Explain `wanted` boxes in every way, and score the maps and the floors."""
    rows = {name: BoxRow() for name in (*requests, "box filled", "edges", "noise")}
    other = BoxBench(_with_new_head(bench.model))
    drawn = explained = 0
    for seed, scene, image, asked in _scenes(bench):
        drawn = seed - FIRST_SEED + 1
        curve = DeletionCurve(bench, image)
        positions = [one.position for one in asked]
        for name, request in requests.items():
            started = time.perf_counter()
            maps = [one.values.clip(0) for one in bench.explain(image, request, positions).attributions]
            rows[name].seconds += time.perf_counter() - started
            for question, weight in zip(asked, maps, strict=True):
                rows[name].add(seed, _scores(weight, question, curve))
            if explained < 2 * checked and (after := _maps_of_same_boxes(other, image, request, bench, positions)):
                for weight, again in zip(maps, after, strict=True):
                    rows[name].add(seed, {"new head": likeness(weight, again)})
        for question in asked:
            for name, weight in _floors(scene, question).items():
                rows[name].add(seed, _scores(weight, question, curve))
        explained += len(asked)
        if sys.stderr.isatty():
            print(f"\r{explained} of {wanted}", end="", file=sys.stderr)
        if explained >= wanted:
            break
    print(f"{explained} explanations a row, in {drawn} scenes, of which those with a missed object are left out")
    return rows


def _scenes(bench: BoxBench) -> Iterator[tuple[int, MarkedScene, DecodedImage, list[BoxQuestion]]]:
    for seed in count(FIRST_SEED):
        scene = draw_marked_scene(seed)
        image = bench.decoded(scene)
        if asked := bench.questions(seed, scene, image):
            yield seed, scene, image, asked


def _maps_of_same_boxes(
    other: BoxBench, image: DecodedImage, request: Mapping[str, Any], bench: BoxBench, positions: Sequence[int]
) -> list[Weights]:
    """Explain the boxes that `bench` found by a network with a new head, which would find others itself."""
    scored = DetectionPass(image.inputs[0].data, with_rows=True)
    bench.executor.run([WorkSlice(scored, 0, 1)], 1)
    corners = scored.detections.boxes[list(positions)].tolist()
    labels = scored.detections.labels[list(positions)].tolist()
    targets = [
        {"box": dict(zip(("topX", "topY", "bottomX", "bottomY"), box, strict=True)), "label": label}
        for box, label in zip(corners, labels, strict=True)
    ]
    return [one.values.clip(0) for one in other.explain(image, request, targets).attributions]


def _with_new_head(model: Detector) -> Detector:
    network: Any = copy.deepcopy(model.network)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        for part in (network.roi_heads.box_head, network.roi_heads.box_predictor):
            for module in part.modules():
                if isinstance(module, nn.Linear | nn.Conv2d):
                    module.reset_parameters()
    return replace(model, network=network)


def _scores(weight: Weights, question: BoxQuestion, curve: DeletionCurve) -> dict[str, float]:
    own, other = question.own, question.other
    left, top, right, bottom = own.box
    box = np.zeros(own.mask.shape, bool)
    box[top:bottom, left:right] = True
    dense, sparse = float(weight[own.mask].mean()), float(weight[other.mask].mean())
    on_object = np.where(own.mask, weight, -1.0).astype(np.float32)
    return {
        "point": float(box.flat[int(weight.argmax())]),
        "energy": energy(weight, box) / float(box.mean()),
        "same" if own.label == other.label else "other": 1.0 if dense > sparse else 0.5 if dense == sparse else 0.0,
        "delete": curve.area(weight, question),
        "cue": precision(on_object, own.patch) / (float(own.patch.sum()) / float(own.mask.sum())),
    }


def _floors(scene: MarkedScene, question: BoxQuestion) -> dict[str, Weights]:
    left, top, right, bottom = question.own.box
    filled = np.zeros(question.own.mask.shape, np.float32)
    filled[top:bottom, left:right] = 1
    noise = np.random.default_rng(question.seed).random(filled.shape, np.float32)
    return {"box filled": filled, "edges": edges(scene.image), "noise": noise}


def _overlap(box: NDArray[np.floating], other: Sequence[float]) -> float:
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    shared = float((high - low).clip(0).prod())
    area = float((box[2] - box[0]) * (box[3] - box[1])) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (area - shared)


def print_rows(rows: Mapping[str, BoxRow]) -> None:
    """Print the table of means with their 95 % intervals."""
    names = (*_SCORES, "new head")
    print(f"{'':24}" + "".join(f"{name:>20}" for name in names) + f"{'s an image':>12}")
    for title, row in rows.items():
        cells = [
            f"{'-':>20}" if not row.scores[name] else f"{_cell(interval(row.scores[name], row.seeds[name])):>20}"
            for name in names
        ]
        explained = len(set(row.seeds["point"]))
        print(f"{title:24}{''.join(cells)}{row.seconds / max(1, explained):12.2f}")


def print_verdicts(rows: Mapping[str, BoxRow]) -> list[str]:
    """Print which of the wanted values were reached; returns those that were missed."""
    missed = []
    for title, wanted in _WANTED.items():
        for name, bound in wanted.items():
            if title not in rows or not rows[title].scores[name]:
                continue
            value = float(np.mean(rows[title].scores[name]))
            if name == "delete":
                value /= float(np.mean(rows["edges"].scores[name]))
            if name == "cue":
                value /= float(np.mean(rows["box filled"].scores[name]))
            met = value <= bound if name in _MOST else value >= bound
            print(f"{'met' if met else 'MISSED'}: {title} {name} {value:.3f}, wanted {bound}")
            if not met:
                missed.append(f"{title} {name} {value:.3f}, wanted {bound}")
    return missed


def _cell(value: tuple[float, float, float]) -> str:
    mean, low, high = value
    return f"{mean:.3f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    main()
