"""What kills cost a run: python -m benchmarks.training.kills.

A small network is trained twice by the same job: without a break, and killed by SIGKILL at random moments of its start,
its epochs, its evaluations, while it writes states and while it publishes, each time started again by the same command.
In the end both runs should hold the same weights, bit for bit, the same metrics, each epoch once, and the same files;
and no kill should have cost more than the epoch in which it fell.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from tests.support.training.command import training_environment, write_coloured_job

_JOB = "colours"
_EPOCHS, _IMAGES, _VALIDATION = 24, 120, 0.4
_LOOK_S = 0.0005  # how often files are looked at: a state is written within a tenth of a second
_PATIENCE_S = 300.0
_WEIGHTS = ("outputs/model.safetensors", "best/state.safetensors", "last/state.safetensors")

Phase = Literal["start", "training", "evaluation", "best", "last", "publishing"]
_PHASES: tuple[Phase, ...] = ("start", "training", "evaluation", "best", "last")
_PUBLISHING = 5  # one kill of so many falls there, at the end


@dataclass(frozen=True, slots=True)
class Moment:
    """When a run is killed: after `epochs` more epochs, when the share `share` in [0, 1) of a phase is over."""

    phase: Phase
    epochs: int
    share: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How long parts of the unbroken run took, in seconds: until it trains, and those of one epoch."""

    start: float
    training: float
    evaluation: float
    writing: float


@dataclass(frozen=True, slots=True)
class Kill:
    """What a kill found and cost: epochs in metrics.jsonl, the epoch and step where the next process went on."""

    moment: Moment
    seconds: float
    epochs: int
    next_epoch: int
    next_step: int

    @property
    def again(self) -> int:
        """How many epochs that had been evaluated were trained again."""
        return self.epochs - self.next_epoch


class KilledRun:
    """A run of the job in a folder, as its files and its log show it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, folder / "runs" / _JOB
        self._log = folder / "log.txt"
        self._trains = ""

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the command, with one thread."""
        self._trains = "going on at" if (self.run / "last/state.safetensors").exists() else "images to train with"
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "training", "run", f"{_JOB}.yml"]
            return subprocess.Popen(command, cwd=self.folder, env=training_environment(), stderr=log)

    def log(self) -> str:
        """Return what the last process has said so far."""
        return self._log.read_text()

    def epochs(self) -> int:
        """Return how many epochs metrics.jsonl holds."""
        file = self.run / "metrics.jsonl"
        return len(file.read_bytes().splitlines()) if file.exists() else 0

    def trains(self) -> bool:
        """Return whether the last process has begun to train, or has gone on."""
        return self._trains in self.log()

    def writes(self, phase: Phase) -> bool:
        """Return whether a state, or the model, is being written."""
        if phase == "publishing":
            return (self.run / ".outputs.new").exists()
        return any((self.run / phase).glob(".state.safetensors.*"))

    def place(self) -> tuple[int, int]:
        """Return the epoch and step, from 0, where the last process went on."""
        found = re.search(r"going on at epoch (\d+), step (\d+)", self.log())
        return (int(found[1]) - 1, int(found[2]) - 1) if found else (0, 0)

    def files(self) -> list[str]:
        """Return the names of all files of the run, hidden ones too."""
        return sorted(str(file.relative_to(self.run)) for file in self.run.rglob("*") if file.is_file())


def main() -> None:
    """Train without a break, train with kills, compare; exit with 1 where a bound is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    machine = describe_machine("torch")
    print(json.dumps(machine), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        unbroken, killed = (KilledRun(Path(scratch, name)) for name in ("unbroken", "killed"))
        pace = _unbroken(unbroken)
        kills = list(_killed(killed, moments(options.kills, options.seed), pace))
        verdicts = compare(unbroken, killed, kills)
        different = sorted(set(unbroken.files()) ^ set(killed.files()))
    print("\n".join(f"  {what}: {'met' if met else 'MISSED'}" for what, met in verdicts.items()))
    if different:
        print(f"  files of one run alone: {', '.join(different)}")
    lines = [asdict(kill) | {"again": kill.again} for kill in kills]
    content = {"machine": machine, "options": vars(options), "pace": asdict(pace), "kills": lines, "verdicts": verdicts}
    write_report("kills", content)
    sys.exit(not all(verdicts.values()))


def moments(count: int, seed: int) -> list[Moment]:
    """Return random moments: first the phases of an epoch in turns, in the end publishing."""
    rng = random.Random(seed)
    publishing = count // _PUBLISHING
    phases = [_PHASES[index % len(_PHASES)] for index in range(count - publishing)]
    rng.shuffle(phases)
    # Some let an epoch pass, so that the run gets on
    passed = [int(index % 3 == 0) if phase != "start" else 0 for index, phase in enumerate(phases)]
    found = [Moment(phase, epochs, rng.random()) for phase, epochs in zip(phases, passed, strict=True)]
    return found + [Moment("publishing", 0, rng.random()) for _ in range(publishing)]


def compare(unbroken: KilledRun, killed: KilledRun, kills: Sequence[Kill]) -> Mapping[str, bool]:
    """Return what should hold after all kills, and whether it does."""
    pairs = [[load_file(each.run / name) for each in (unbroken, killed)] for name in _WEIGHTS]
    lines = [
        [json.loads(line) for line in (each.run / "metrics.jsonl").read_text().splitlines()]
        for each in (unbroken, killed)
    ]
    return {
        "the weights are those of the unbroken run, bit for bit": all(_same(*pair) for pair in pairs),
        "every epoch is in metrics.jsonl once": [line["epoch"] for line in lines[1]] == list(range(_EPOCHS)),
        "all metrics are those of the unbroken run": _untimed(lines[0]) == _untimed(lines[1]),
        "a kill costs at most one epoch": all(kill.again <= 1 for kill in kills),
        "the files are those of the unbroken run": unbroken.files() == killed.files(),
    }


def _unbroken(run: KilledRun) -> Pace:
    _write(run)
    begun = time.monotonic()
    with run.start() as process:
        _await(process, run, run.trains)
        start = time.monotonic() - begun
        _await(process, run, lambda: run.epochs() > 0)
        first = time.monotonic()
        _await(process, run, lambda: run.epochs() == _EPOCHS)
        seconds = (time.monotonic() - first) / (_EPOCHS - 1)
    lines = [json.loads(line) for line in (run.run / "metrics.jsonl").read_text().splitlines()][1:]
    training, evaluation = (
        sum(line[name] for line in lines) / len(lines) for name in ("seconds_training", "seconds_evaluation")
    )
    print(f"  unbroken: {time.monotonic() - begun:.1f} s, of which {start:.1f} s before the first epoch", flush=True)
    return Pace(start, training, evaluation, max(0.0, seconds - training - evaluation))


def _killed(run: KilledRun, planned: Sequence[Moment], pace: Pace) -> Iterator[Kill]:
    """Kill the run at each moment and start it again; in the end let it finish."""
    _write(run)
    fallen: list[tuple[Moment, float, int]] = []  # since the last process that came to train
    for moment in [*planned, None]:
        begun = time.monotonic()
        with run.start() as process:
            if moment is None:
                process.wait(_PATIENCE_S)
            elif moment.phase == "start":
                time.sleep(moment.share * pace.start)
            else:
                _await(process, run, run.trains)
                if moment.phase != "publishing" and run.epochs() + moment.epochs >= _EPOCHS:
                    raise RuntimeError("The run has too few epochs left for this kill. Try again when less else runs.")
                _wait(process, run, moment, pace)
            process.kill()
        if run.trains():
            for each in fallen:
                yield _shown(Kill(*each, *run.place()))
            fallen.clear()
        if moment is None:
            break
        fallen.append((moment, time.monotonic() - begun, run.epochs()))
    if process.returncode:
        raise RuntimeError(run.log())


def _wait(process: "subprocess.Popen[bytes]", run: KilledRun, moment: Moment, pace: Pace) -> None:
    """Return when the process is to be killed."""
    before = run.epochs() + moment.epochs
    _await(process, run, lambda: run.epochs() >= before)
    if moment.phase in ("training", "evaluation"):
        # The state is written after the line in metrics.jsonl, from which the clock runs
        past = pace.writing if moment.epochs else 0.0
        past += pace.training if moment.phase == "evaluation" else 0.0
        time.sleep(past + moment.share * (pace.evaluation if moment.phase == "evaluation" else pace.training))
    else:
        _await(process, run, lambda: run.writes(moment.phase))
        time.sleep(moment.share * pace.writing / 2)


def _await(process: "subprocess.Popen[bytes]", run: KilledRun, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not happened():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"The run ended, or did nothing, before it could be killed:\n{run.log()}")
        time.sleep(_LOOK_S)


def _write(run: KilledRun) -> None:
    write_coloured_job(
        run.folder,
        count=_IMAGES,
        number_of_epochs=_EPOCHS,
        validation_data_size=_VALIDATION,
        early_stopping=False,
        learning_rate=0.001,
        precision="fp32",
    )


def _shown(kill: Kill) -> Kill:
    print(
        f"  {kill.moment.phase:<10} after {kill.seconds:5.1f} s with {kill.epochs:2} epochs done: went on at epoch "
        f"{kill.next_epoch + 1}, step {kill.next_step + 1}; epochs done again: {kill.again}",
        flush=True,
    )
    return kill


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _untimed(lines: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    timed = ("second", "share_waiting")
    return [{name: value for name, value in line.items() if not any(word in name for word in timed)} for line in lines]


if __name__ == "__main__":
    main()
