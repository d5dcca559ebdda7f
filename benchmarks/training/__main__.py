"""How fast a classifier trains, beside other ways to train it: python -m benchmarks.training.

A resnet18 learns the four labels of drawn images, 640x480 JPEG on disk, from the same random weights: by `python -m
training run`, by a loop with ImageFolder and DataLoader as in torchvision's recipe, and by Hugging Face's Trainer. All
make the same random crops, flips and colours, and use the same batches, optimizer, rates and epochs. They take turns,
each as a process of its own, with another seed each round. Of the others, the better of 0 and 2 workers counts. Rates
are images a second from the second epoch on, without evaluation; ratios are taken within a round.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from benchmarks.serving import spread
from benchmarks.training.contestant import OURS, PEERS, TrainedOnce, train
from benchmarks.training.drawn_images import write_images
from benchmarks.training.plan import TrainingPlan

_MOST_LOAD = 0.3  # of the machine, in the minute before the start
_TARGET = 0.95
_WANTED = {"trainer": 1.5, "torchvision": 1.2}
_SAME = 0.01  # of accuracy

Results = dict[str, list[TrainedOnce]]


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
        write_images(folder, options.images, options.validation_images)
        results = _rounds(options, folder, Path(scratch))
    print("\n".join(table_rows(results)))
    taken = {name: [asdict(one) for one in all_of] for name, all_of in results.items()}
    write_report("training", {"machine": machine, "options": vars(options) | {"folder": str(folder)}, "taken": taken})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1200, help="training images")
    parser.add_argument("--validation-images", type=int, default=400)
    parser.add_argument("--crop", type=int, default=224, help="pixels a side; smaller crops take less time")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=",".join(PEERS), help="contestants beside ours, separated by commas")
    parser.add_argument("--workers", default="0,2", help="of the others, separated by commas")
    parser.add_argument("--folder", type=Path, help="where the images are kept for the next time")
    parser.add_argument("--busy", action="store_true", help="measure although the machine has other work")
    return parser.parse_args()


def _rounds(options: argparse.Namespace, folder: Path, scratch: Path) -> Results:
    names = [
        OURS,
        *(f"{peer} {workers}" for peer in options.peers.split(",") for workers in options.workers.split(",")),
    ]
    results: Results = {name: [] for name in names}
    for number in range(options.rounds):
        plan = TrainingPlan(
            folder=str(folder),
            crop=options.crop,
            batch_size=options.batch,
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            seed=number,
        )
        for name in names:
            one = train(name, plan, scratch / f"{number}-{name.replace(' ', '-')}")
            results[name].append(one)
            print(
                f"  round {number + 1} {name:<14} {one.rate:7.1f} images/s, accuracy {one.accuracies[-1]:.3f}, "
                f"{one.seconds:.0f} s",
                flush=True,
            )
    return results


def table_rows(results: Results) -> list[str]:
    """Return a line for each contestant, and one for each wanted ratio."""
    rows = [""]
    for name, taken in results.items():
        reached = [one.seconds_to(_TARGET) for one in taken]
        rows.append(
            f"  {name:<14} {spread([one.rate for one in taken])} images/s, ours {spread(_ratios(results, name), 2)}x, "
            f"accuracy {_accuracy(taken):.3f} ({spread([one.accuracies[-1] for one in taken], 3)}), "
            f"{_TARGET:.2f} after {', '.join('never' if each is None else f'{each:.0f} s' for each in reached)}, "
            f"{max(one.peak_mib for one in taken):.0f} MiB"
        )
    for peer, wanted in _WANTED.items():
        best = max(
            (name for name in results if name.startswith(peer)),
            key=lambda name: statistics.median(one.rate for one in results[name]),
            default=None,
        )
        if best is None:
            continue
        ratio = statistics.median(_ratios(results, best))
        worse = _accuracy(results[best]) - _accuracy(results[OURS])
        verdict = "met" if ratio >= wanted and worse <= _SAME else "MISSED"
        rows.append(
            f"  {ratio:.2f} times as fast as {best}, wanted {wanted}; accuracy {-100 * worse:+.1f} points, wanted at "
            f"least {-100 * _SAME:.0f}: {verdict}"
        )
    return rows


def _ratios(results: Results, name: str) -> list[float]:
    return [ours.rate / other.rate for ours, other in zip(results[OURS], results[name], strict=True)]


def _accuracy(taken: Sequence[TrainedOnce]) -> float:
    return statistics.mean(one.accuracies[-1] for one in taken)


if __name__ == "__main__":
    main()
