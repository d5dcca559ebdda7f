"""How fast training is, beside other ways to train: python -m benchmarks.training [--task detection].

For classification, a resnet18 learns the four labels of drawn images, 640x480 JPEG on disk, from the same random
weights: by `python -m training run`, by a loop with ImageFolder and DataLoader as in torchvision's recipe, and by
Hugging Face's Trainer. All make the same random crops, flips and colours, and use the same batches, optimizer, rates
and epochs. For detection, a Faster R-CNN learns to find objects, by ours and by a loop as in torchvision's recipe; each
augments in its own way, since what is compared is the time that an image takes.

Contestants take turns, each as a process of its own, with another seed each round. Ours runs in the precision that it
chooses and, with --exact, also in fp32 as all others. The others run with 0 or 2 workers, whichever is faster in an
epoch before the first round. Rates are images a second from the second epoch on, without evaluation; ratios are taken
within a round.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from benchmarks.training.comparison import TrainingComparison
from benchmarks.training.contestant import OURS, OURS_EXACT, PEERS, TrainedOnce, train
from benchmarks.training.drawn_images import write_images
from benchmarks.training.plan import METRICS, PlannedTask, TrainingPlan

_MOST_LOAD = 0.3  # of the machine, in the minute before the start


@dataclass(frozen=True, slots=True)
class MeasuredTask:
    """What is measured of a task unless somebody wants it otherwise, and how many times as fast ours should be."""

    images: int
    validation_images: int
    side: int
    batch: int
    epochs: int
    learning_rate: float
    wanted: Mapping[str, float]
    same_quality: bool


_TASKS: dict[PlannedTask, MeasuredTask] = {
    "classification": MeasuredTask(
        1600, 400, 96, 24, 5, 2e-3, wanted={"trainer": 1.5, "torchvision": 1.2}, same_quality=True
    ),
    "detection": MeasuredTask(24, 8, 320, 2, 2, 5e-3, wanted={"torchvision": 1.1}, same_quality=False),
}


def main() -> None:
    """Train in turns, print a row for each contestant, and write all numbers to a file."""
    options = _options()
    load = os.getloadavg()[0]
    if load > _MOST_LOAD and not options.busy:
        sys.exit(
            f"The load of this machine was {load:.2f} in the last minute; expected at most {_MOST_LOAD}. Wait until "
            "nothing else runs, or add --busy for numbers that mean little."
        )
    machine = describe_machine("transformers", "accelerate") | {"load": load}
    print(json.dumps(machine), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch, "images")).absolute()
        write_images(folder, options.task, options.images, options.validation_images)
        comparison = TrainingComparison(_rounds(options, folder, Path(scratch)), METRICS[options.task])
    print("\n".join(["", *comparison.rows()]))
    task = _TASKS[options.task]
    for peer in options.peers:
        print(comparison.verdict(peer, task.wanted[peer], same_quality=task.same_quality))
    taken = {name: [asdict(one) for one in every] for name, every in comparison.taken.items()}
    write_report("training", {"machine": machine, "options": vars(options) | {"folder": str(folder)}, "taken": taken})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=list(_TASKS), default="classification")
    parser.add_argument("--images", type=int, help="training images")
    parser.add_argument("--validation-images", type=int)
    parser.add_argument("--side", type=int, help="pixels of a crop; of a detector's input, its shorter side")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=_names, help="contestants beside ours, separated by commas")
    parser.add_argument("--workers", type=_names, default=["0", "2"], help="of the others, separated by commas")
    parser.add_argument("--exact", action="store_true", help="let ours run in fp32 too")
    parser.add_argument("--folder", type=Path, help="where the images are kept for the next time")
    parser.add_argument("--busy", action="store_true", help="measure although the machine has other work")
    options = parser.parse_args()
    for name, value in asdict(_TASKS[options.task]).items():
        if getattr(options, name, value) is None:
            setattr(options, name, value)
    options.peers = list(PEERS[options.task]) if options.peers is None else options.peers
    return options


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _rounds(options: argparse.Namespace, folder: Path, scratch: Path) -> dict[str, list[TrainedOnce]]:
    plan = TrainingPlan(
        task=options.task,
        folder=str(folder),
        side=options.side,
        batch_size=options.batch,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        seed=0,
    )
    ours = [OURS, OURS_EXACT] if options.exact else [OURS]
    names = [*ours, *(_with_workers(peer, options.workers, plan, scratch) for peer in options.peers)]
    taken: dict[str, list[TrainedOnce]] = {name: [] for name in names}
    for number in range(options.rounds):
        plan = replace(plan, seed=number)
        for name in names:
            one = train(name, plan, scratch / f"{number}-{name.replace(' ', '-')}")
            taken[name].append(one)
            print(
                f"  round {number + 1} {name:<14} {one.rate:7.1f} images/s, {METRICS[options.task]} "
                f"{one.qualities[-1]:.3f}, {one.seconds:.0f} s",
                flush=True,
            )
    return taken


def _with_workers(peer: str, workers: list[str], plan: TrainingPlan, scratch: Path) -> str:
    """Return the name of a peer with the number of workers that it is fastest with, in an epoch."""
    names = [f"{peer} {count}" for count in workers]
    if len(names) == 1:
        return names[0]
    rates = {}
    for name in names:
        rates[name] = train(name, replace(plan, epochs=1), scratch / f"first-{name.replace(' ', '-')}").rate
        print(f"  first   {name:<14} {rates[name]:7.1f} images/s", flush=True)
    return max(rates, key=rates.__getitem__)


if __name__ == "__main__":
    main()
