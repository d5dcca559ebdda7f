"""make bench: the server's rates and latencies beside the in-process ceiling, in one run on this machine.

Each round measures the ceiling and then the server. Ratios are taken within a round, so a machine whose speed drifts
favours neither. Results go to standard output and, as JSON, to benchmarks/results/.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.measured import Load, run_load, split
from benchmarks.harness.report import write_report
from models.architecture.catalog import architecture
from server.supervisor.launcher import ENGINE_ENVIRONMENT
from settings.model import ClassificationSettings
from tests.support.folders.detector_folders import NAMES, write_detector_folder

LABELS = ("can", "carton", "milk_bottle", "water_bottle")
# The usual size, and ten boxes in every image, since seeded weights do not know how many there are
DETECTION = {
    "min_size": 600,
    "max_size": 1333,
    "box_score_thresh": 0.1,
    "nms_iou_thresh": 0.5,
    "box_detections_per_img": 10,
}
OVERLOAD = 1.5
# A detector takes a second per image on a CPU: eight clients wait for longer than a queue usually allows
ENDLESS = ("--queue-limit-ms", "600000", "--request-timeout-ms", "600000")


@dataclass(slots=True)
class Round:
    """One measurement of the ceiling, then of the server."""

    ceiling: dict[str, float]
    loads: list[Load] = field(default_factory=list)

    def ratio(self, load: Load) -> float:
        """The server's images per second as a share of the ceiling's."""
        return load.rate / self.ceiling["rate"]


class CeilingProcess:
    """The process of benchmarks.harness.ceiling, which measures once per round; a context manager."""

    def __init__(self, folder: Path, runtime: str, cache: Path) -> None:
        environment = {**ENGINE_ENVIRONMENT, **os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness.ceiling", str(folder), runtime, str(cache)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> "CeilingProcess":
        self.measure(1)  # The first call finds the fastest plan; nothing else may run meanwhile
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def measure(self, seconds: float) -> dict[str, float]:
        """Measure once."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


def seeded_folder(name: str, path: Path, sizes: tuple[int, int] = (256, 224)) -> Path:
    """Write a model folder with seeded weights, in the layout of AutoML for Images.

    `sizes` are those that a classifier resizes and crops images to, by default those of AutoML for Images.
    """
    if name in NAMES:
        return write_detector_folder(path, name, base=DETECTION)
    torch.manual_seed(0)
    network = architecture(name).build(len(LABELS), ClassificationSettings())
    settings = {"valid_resize_size": sizes[0], "valid_crop_size": sizes[1], "train_crop_size": sizes[1]}
    checkpoint = {
        "model_name": name,
        "number_of_classes": len(LABELS),
        "specs": {"multilabel": False, "model_settings": settings, "labels": list(LABELS)},
        "model_state": network.state_dict(),
    }
    path.mkdir(parents=True)
    torch.save(checkpoint, path / "model.pt")
    return path


def fastest(folder: Path, runtime: str, cache: Path) -> str:
    """Fill a cache of runtimes for a model, and return the one that a server with `--runtime` uses."""
    command = [sys.executable, "-m", "server", "--check", "--model", str(folder), "--runtime", runtime]
    done = subprocess.run([*command, "--cache-folder", str(cache)], stdout=subprocess.PIPE, text=True, check=True)
    return next(line.removeprefix("runtime: ") for line in done.stdout.splitlines() if line.startswith("runtime: "))


def bench_model(name: str, requested: str, seconds: float, rounds: int, concurrencies: Sequence[int]) -> dict[str, Any]:
    """Measure one architecture and print its rows."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = seeded_folder(name, Path(scratch) / name), Path(scratch) / "cache"
        runtime = fastest(folder, requested, cache)
        print(f"\n{name}, runtime {runtime}")
        flags = ("--runtime", runtime, "--cache-folder", str(cache), *(ENDLESS if name in NAMES else ()))
        with CeilingProcess(folder, runtime, cache) as ceiling, BenchServer(folder, free_port(), *flags) as server:
            measured = [_round(ceiling, server, seconds, concurrencies) for _ in range(rounds)]
            capacity = statistics.median(max(load.rate for load in one.loads) for one in measured)
            overload = None
            if name not in NAMES:
                overload = run_load(server, "open", OVERLOAD * capacity, 4 * seconds)
            ready_s = server.ready_s
    _print_rows(measured, overload, capacity)
    return {
        "model": name,
        "runtime": runtime,
        "ready_s": ready_s,
        "capacity": capacity,
        "rounds": [asdict(one) for one in measured],
        "overload": overload and asdict(overload),
    }


def _round(ceiling: CeilingProcess, server: BenchServer, seconds: float, concurrencies: Sequence[int]) -> Round:
    one = Round(ceiling.measure(seconds))
    one.loads = [run_load(server, "closed", concurrency, seconds) for concurrency in concurrencies]
    return one


def _print_rows(rounds: Sequence[Round], overload: Load | None, capacity: float) -> None:
    bare = statistics.median(one.ceiling["bare_ms"] for one in rounds)
    first = rounds[0].ceiling
    print(
        f"  ceiling: {spread([one.ceiling['rate'] for one in rounds])} images/s at batch {first['batch']:.0f} "
        f"(decode alone {first['decode_rate']:.0f}, forward alone {first['forward_rate']:.1f}, its "
        f"multiplications at the speed of a product of large matrices {first['arithmetic_rate']:.1f}); "
        f"one alone {bare:.1f} ms"
    )
    for number in range(len(rounds[0].loads)):
        loads = [one.loads[number] for one in rounds]
        print(
            f"  {loads[0].name:<10} {spread([load.rate for load in loads])} images/s, "
            f"ratio {spread([one.ratio(one.loads[number]) for one in rounds], 3)}, "
            f"p50/p95/p99 {'/'.join(f'{_median(loads, each):.0f}' for each in ('p50_ms', 'p95_ms', 'p99_ms'))} ms, "
            f"{_median(loads, 'cpu_s_per_1000'):.1f} CPU s/1000, codes {loads[-1].codes}"
        )
        print(f"  {'':<10} mean ms: {split(loads[-1].stages)}")
    over = [one.loads[0].p50_ms - one.ceiling["bare_ms"] for one in rounds]
    print(f"  one at a time: {spread(over)} ms over bare decode and forward")
    if overload is None:
        return
    refusal = "none" if overload.slowest_refusal_ms is None else f"{overload.slowest_refusal_ms:.0f} ms"
    print(
        f"  open {OVERLOAD:.0%}: goodput {overload.rate / capacity:.3f} of capacity, codes {overload.codes}, "
        f"slowest 429 {refusal}"
    )


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Format the median of some values with their range."""
    middle = f"{statistics.median(values):.{digits}f}"
    return f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})" if len(values) > 1 else middle


def _median(loads: Sequence[Load], name: str) -> float:
    return float(statistics.median(getattr(load, name) for load in loads))


def free_port() -> int:
    """Return a free TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def main() -> None:
    """Measure the models named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--models", default="resnet50,mobilenetv2", help="architectures, separated by commas")
    parser.add_argument("--seconds", type=float, default=10, help="length of one measurement")
    parser.add_argument("--concurrencies", default="1,8,32", help="clients in closed loops, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime", default="auto", help="auto for the fastest runtime, or the name of one")
    parser.add_argument("--quick", action="store_true", help="a single short round, to see that it works")
    options = parser.parse_args()
    seconds, rounds = (3, 1) if options.quick else (options.seconds, options.rounds)
    result: dict[str, Any] = {"machine": describe_machine(), "seconds": seconds}
    print(json.dumps(result["machine"]))
    clients = [int(count) for count in options.concurrencies.split(",")]
    result["models"] = [
        bench_model(name, options.runtime, seconds, rounds, clients) for name in options.models.split(",")
    ]
    write_report("serving", result)


if __name__ == "__main__":
    main()
