"""What scoring and explaining keep beside programs that compute all the time: python -m benchmarks.neighbour.

Each row is one closed loop of clients without a break. The machine is quiet; then one neighbour per core computes; then
they leave. Rates are measured before they arrive, some time after, and some time after they have left. On C cores
beside C neighbours a fair share is half of the quiet rate. With --quota the server may use so many cores by the quota
of a control group of its own, as in a container (needs root).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.control_group import ControlGroup
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from benchmarks.peers.peer_server import COMMANDS, PeerServer
from benchmarks.serving import ENDLESS, free_port, seeded_folder
from server.cores import usable_cores

_START_S = 3.0  # of the load generator
_WARM_UP_S = 3.0
_WANTED = 0.45  # of the quiet rate: 0.9 of a fair share
_SAME = 0.97  # of the quiet rate, once the neighbours have left
_EXPLANATION = {"xai_algorithm": "integrated_gradients", "n_steps": 5, "visualizations": False}

# One process that computes on one core; or one that shares work between as many threads as there are cores
_NEIGHBOURS = {
    "loops": "while True: pass",
    "threads": "import torch\nside = torch.randn(512, 512)\nwhile True: (side @ side).relu()",
}


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds of one row: how long a rate is measured, and how long a server has to get used to a change."""

    measured_s: float
    settled_s: float

    @property
    def load_s(self) -> float:
        """The length of the whole load."""
        return _WARM_UP_S + 3 * self.measured_s + 2 * self.settled_s


@dataclass(frozen=True, slots=True)
class Row:
    """One load: answers a second while quiet, beside the neighbours, and after them; codes of all replies."""

    server: str
    load: str
    quiet: float
    beside: float
    after: float
    codes: dict[str, int]
    finished: list[float]

    def text(self) -> str:
        """Format it as a line of the report."""
        kept, regained = self.beside / self.quiet, self.after / self.quiet
        verdict = "met" if kept >= _WANTED and regained >= _SAME else "MISSED"
        return (
            f"  {self.server:<20} {self.load:<14} {self.quiet:6.2f} -> {self.beside:6.2f} -> {self.after:6.2f}/s, "
            f"kept {kept:.2f}, regained {regained:.2f}, codes {self.codes}: {verdict}"
        )


def measure(server: BenchServer | PeerServer, name: str, load: str, neighbours: str, phases: Phases) -> Row:
    """Run one load, `score N` or `explain N` with N clients, through all phases."""
    kind, clients = load.split()
    words = [str(server.port), "closed", clients, str(phases.load_s + _START_S)]
    if kind == "explain":
        words += ["--explain", json.dumps([_EXPLANATION])]
    command = [sys.executable, "-m", "benchmarks.harness.load", *words]
    ends = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as generator:
        time.sleep(_START_S + _WARM_UP_S + phases.measured_s)
        ends.append(time.perf_counter())
        with neighbours_on_all_cores(neighbours):
            time.sleep(phases.settled_s + phases.measured_s)
            ends.append(time.perf_counter())
        time.sleep(phases.settled_s + phases.measured_s)
        ends.append(time.perf_counter())
        result = json.loads(generator.communicate()[0])
    answers = [result["started"] + moment for moment in result["finished"]]
    quiet, beside, after = (
        sum(end - phases.measured_s < answer <= end for answer in answers) / phases.measured_s for end in ends
    )
    codes = {code: len(values) for code, values in result["latencies"].items()}
    return Row(name, load, quiet, beside, after, codes, result["finished"])


@contextmanager
def neighbours_on_all_cores(kind: str) -> Iterator[None]:
    """Keep every core busy: with a process each, or with one process of as many threads."""
    count = usable_cores() if kind == "loops" else 1
    running = [subprocess.Popen([sys.executable, "-I", "-c", _NEIGHBOURS[kind]]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def bounded(cores: float | None) -> AbstractContextManager[ControlGroup | None]:
    """Return a control group for a server, or nothing where it may use all cores."""
    return nullcontext() if cores is None else ControlGroup(cores)


def servers(
    folder: Path, runtimes: Sequence[str], peers: Sequence[str], cache: Path
) -> Iterator[tuple[str, AbstractContextManager[BenchServer | PeerServer]]]:
    """Yield the name of each server under measurement, and what starts it."""
    for runtime in runtimes:
        flags = ("--runtime", runtime, "--cache-folder", str(cache), *ENDLESS)
        yield f"sightglass {runtime}", BenchServer(folder, free_port(), *flags)
    (checkpoint,) = folder.rglob("model.pt")
    for peer in peers:
        yield peer, PeerServer(peer, checkpoint, free_port())


def main() -> None:
    """Measure what the command line names, and print a row each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.neighbour", description=__doc__)
    parser.add_argument("--model", default="resnet50", help="an architecture")
    parser.add_argument("--runtimes", default="eager,openvino,compiled", help="runtimes, separated by commas")
    parser.add_argument("--loads", default="score 1,score 8,explain 1,explain 4", help="what clients ask, and how many")
    parser.add_argument("--peers", default="", help=f"servers beside ours that score: {', '.join(COMMANDS)}")
    parser.add_argument("--neighbours", choices=sorted(_NEIGHBOURS), default="loops")
    parser.add_argument("--quota", type=float, help="cores that the server may use")
    parser.add_argument("--seconds", type=float, default=10, help="length of one measurement")
    parser.add_argument("--settle", type=float, default=20, help="seconds from a change to the measurement")
    options = parser.parse_args()
    phases = Phases(options.seconds, options.settle)
    machine = describe_machine()
    print(json.dumps(machine))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = seeded_folder(options.model, Path(scratch) / options.model), Path(scratch) / "cache"
        peers = [name for name in options.peers.split(",") if name]
        for name, starting in servers(folder, options.runtimes.split(","), peers, cache):
            with bounded(options.quota) as group, starting as server:
                if group is not None:
                    group.add(each.pid for each in server.processes())
                for load in options.loads.split(","):
                    if name in peers and not load.startswith("score"):
                        continue
                    rows.append(measure(server, name, load, options.neighbours, phases))
                    print(rows[-1].text(), flush=True)
    content: dict[str, Any] = {"machine": machine, "options": vars(options), "rows": [asdict(row) for row in rows]}
    write_report("neighbour", content)


if __name__ == "__main__":
    main()
