"""make bench-explain, first part: whether explanations point at what they should.

Trains a small network to name the patterns in drawn images, and explains each label of unseen images of two objects.
Scores each algorithm's map, as it is drawn by default, against the mask of the object with the explained label:

- `point`: whether the strongest pixel of the map lies on the object
- `energy`: the share of the map's weight on the object
- `top-k`: the share of the k strongest pixels on the object, where k is the size of the object
- `t/d`: the map's density on the object as a share of that on both objects; 0.5 prefers neither
- `insert`, `delete`: the mean probability while pixels, strongest first, replace those of a blurred image, or while
  those of a blurred image replace them

`random` and `edge` are floors: noise, and the edges of the image. Then some weights are initialised again: maps that
change little have not explained the network. Means are printed with their 95 % interval.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from benchmarks.quality.network import SHOWN, accuracy, executor, load, save, train
from benchmarks.quality.randomised import RANDOMISED, check_weights
from benchmarks.quality.scenes import Scenes
from benchmarks.quality.scores import Interval
from benchmarks.quality.variants import SCORES, ExplanationVariant, VariantScores, differences, measure
from explain.request.parameters import read_parameters

ALGORITHMS = ("xrai", "integrated_gradients", "gradcam", "guided_gradcam", "guided_backprop", "layercam", "rise")
_REQUESTS: Mapping[str, Mapping[str, Any]] = {
    **{name: {"xai_algorithm": name} for name in ALGORITHMS},
    "xrai, azureml": {"xai_algorithm": "xrai", "compatibility": "azureml"},
    "integrated gradients, azureml": {"xai_algorithm": "integrated_gradients", "compatibility": "azureml"},
}
_MORE: Mapping[str, Mapping[str, Any]] = {
    "xrai, 2x50 steps": {"xai_algorithm": "xrai", "n_steps": 50},
    "xrai, not fast": {"xai_algorithm": "xrai", "xrai_fast": False},
    **{
        f"integrated gradients, {'+'.join(names)}": {"xai_algorithm": "integrated_gradients", "baseline": names}
        for names in (["black"], ["black", "white"], ["mean"])
    },
    "rise, black": {"xai_algorithm": "rise", "baseline": "black"},
    "rise, probability": {"xai_algorithm": "rise", "output": "probability"},
    **{
        name: {"xai_algorithm": name}
        for name in ("occlusion", "feature_ablation", "shapley_value_sampling", "kernel_shap", "lime")
    },
}
_COMPARED = (
    ("xrai", "xrai, azureml"),
    ("integrated_gradients", "integrated gradients, azureml"),
    ("xrai, 2x50 steps", "xrai"),
    ("xrai, not fast", "xrai"),
)
_LEAST_ACCURACY = 0.95  # nobody knows how to explain the answers of a network that guesses
_LEAST: Mapping[tuple[str, str], float] = {("xrai", "top-k"): 0.75, ("xrai", "t/d"): 0.88}
_MOST_ALIKE = 0.5  # rank correlation after all weights are initialised again
_EDGE_DETECTOR = "guided_backprop"  # known to show edges whatever the weights, see docs/explanations.md
_QUICK_SHOWN = 1280


def network_for(file: Path | None, quick: bool) -> tuple[nn.Module, float]:
    """Read the network from `file`, or train it and write it there; return it and its accuracy on unseen images.

    Exits where the accuracy is too low, unless `quick`.
    """
    started = time.perf_counter()
    read = file is not None and file.exists()
    network = load(file) if file is not None and read else train(_QUICK_SHOWN if quick else SHOWN)
    seconds = time.perf_counter() - started
    right = accuracy(network)
    print(f"{'read' if read else 'trained'} in {seconds:.0f} s; {right:.1%} of the labels of unseen images are right")
    if right < _LEAST_ACCURACY and not quick:
        sys.exit(f"error: {_LEAST_ACCURACY:.0%} of the labels must be right, or the explanations mean nothing.")
    if right < _LEAST_ACCURACY:
        print("the network is barely trained, and all its answers count: the figures below mean nothing")
    elif file is not None and not read:
        save(network, file)
    return network, right


def bench_scenes(
    scenes: Scenes, variants: Mapping[str, ExplanationVariant], wanted: int, minutes: float, checked: int
) -> dict[str, Any]:
    """Measure, and print the tables."""
    rows = measure(scenes, variants, wanted, minutes)
    drawn, kept = scenes.drawn, scenes.kept
    print(f"\n{len(rows['random'].scenes)} explanations a row; {drawn - kept} of {drawn} images left out")
    print_scores(rows)
    compared = {
        f"{name} less {reference}": differences(rows, name, reference) for name, reference in _COMPARED if name in rows
    }
    for title, cells in compared.items():
        print(f"{title}: " + ", ".join(f"{score} {_signed(cell)}" for score, cell in cells.items()))
    randomised = check_weights(scenes, {name: variants[name] for name in ALGORITHMS}, checked)
    print(f"\nrank correlation with the maps after weights are initialised again, {checked} scenes")
    print(f"{'':30}" + "".join(f"{extent:>21}" for extent in RANDOMISED))
    for name, extents in randomised.items():
        print(f"{name:30}" + "".join(f"{_cell(value):>21}" for value in extents.values()))
    print()
    print_verdicts(rows, randomised)
    return {
        "drawn": drawn,
        "kept": kept,
        "rows": {name: row.summary() for name, row in rows.items()},
        "differences": compared,
        "randomised": randomised,
    }


def print_scores(rows: Mapping[str, VariantScores]) -> None:
    """Print the table."""
    print(f"{'':30}" + "".join(f"{name:>21}" for name in SCORES) + f"{'s each':>8}{'steps':>7}")
    for name, row in rows.items():
        summary = row.summary()
        cells = "".join(f"{_cell(summary[score]):>21}" for score in SCORES)
        steps = f"{summary['mean_steps']:7.1f}" if row.steps else ""
        print(f"{name:30}{cells}{summary['seconds_each']:8.2f}{steps}")


def print_verdicts(rows: Mapping[str, VariantScores], randomised: Mapping[str, Mapping[str, Interval]]) -> None:
    """Print which of the wanted values were reached."""
    for (name, score), least in _LEAST.items():
        value = rows[name].summary()[score][0]
        print(f"{_verdict(value >= least)}: {name} {score} {value:.3f}, wanted at least {least}")
    for name, extents in randomised.items():
        if name != _EDGE_DETECTOR:
            value = extents["all"][0]
            met = _verdict(value < _MOST_ALIKE)
            print(f"{met}: {name} rank correlation {value:.3f} after all are initialised, wanted below {_MOST_ALIKE}")


def main() -> None:
    """Measure, print, and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain_quality", description=__doc__.split("\n")[0])
    parser.add_argument("--network", type=Path, help="keep the trained network in this file, and read it from there")
    parser.add_argument("--count", type=int, default=200, help="explanations for each row")
    parser.add_argument("--minutes", type=float, default=60, help="stop earlier, with fewer explanations")
    parser.add_argument("--checked", type=int, default=12, help="scenes for which weights are initialised again")
    parser.add_argument("--more", action="store_true", help="more steps and other baselines, too")
    parser.add_argument("--quick", action="store_true", help="little training, few explanations, to see that it works")
    options = parser.parse_args()
    wanted, checked = (12, 2) if options.quick else (options.count, options.checked)
    requests = {**_REQUESTS, **(_MORE if options.more else {})}
    variants = {name: ExplanationVariant(read_parameters(request)) for name, request in requests.items()}
    torch.set_num_threads(2)  # so that a machine with more cores trains the same network
    machine = describe_machine()
    print(json.dumps(machine))
    network, right = network_for(options.network, options.quick)
    scenes = Scenes(executor(network), least=0.5 if right >= _LEAST_ACCURACY else 0.0)
    result: dict[str, Any] = {"machine": machine, "accuracy": right}
    result |= bench_scenes(scenes, variants, wanted, options.minutes, checked)
    write_report("explain-quality", result)


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def _cell(value: Interval) -> str:
    return f"{value[0]:.3f} ({value[1]:.2f}..{value[2]:.2f})"


def _signed(value: Interval) -> str:
    return f"{value[0]:+.3f} ({value[1]:+.3f} to {value[2]:+.3f})"


if __name__ == "__main__":
    main()
