"""Sightglass beside other servers of Python: python -m benchmarks.peers.

All serve the same checkpoint and get the same requests from the same load generator. Each round measures the ceilings
of eager PyTorch and of our runtime in one process, then one server after the other. Ratios are taken within a round.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.measured import Load, run_load, split
from benchmarks.harness.report import write_report
from benchmarks.peers.peer_server import COMMANDS, PeerServer, score_one
from benchmarks.serving import ENDLESS, CeilingProcess, fastest, free_port, seeded_folder, spread
from models.runtime.runtime import EAGER
from tests.support.folders.detector_folders import NAMES as DETECTORS
from tests.support.servers.other_model import other_model

MEASURED = [name for name in COMMANDS if "_" not in name]
OURS, OURS_EAGER = "sightglass", "sightglass eager"
NOOP = "noop"  # instead of an architecture: a model that ignores its images
_NOOP_BYTES = 75_000  # of an image, which makes a body of 100 kB
_OVERLOAD = 3.0
_DEADLINE_S = 5.0  # after which a reply is of no use
_OVERLOAD_S = 20.0
_WARM_UP_S = 2.0
_PATIENT = ("--queue-limit-ms", "4000", "--request-timeout-ms", "600000")
_CLOSE = 1e-5  # difference of probabilities, or of corners of a box as shares of the image

Server = BenchServer | PeerServer


def main() -> None:
    """Measure the models and servers named on the command line, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--models", default="resnet50,mobilenetv2", help="architectures, separated by commas")
    parser.add_argument("--peers", default=",".join(MEASURED), help="servers beside ours, separated by commas")
    parser.add_argument("--clients", default="1,8", help="clients of closed loops, separated by commas")
    parser.add_argument("--seconds", type=float, default=10, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--overload", action="store_true", help="in the last round, also three times what each can do")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": describe_machine(), "options": vars(options), "models": {}}
    print(json.dumps(result["machine"]))
    for name in options.models.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            result["models"][name] = _bench(name, Path(scratch), options)
        _print_rows(name, result["models"][name])
    write_report("peers", result)


def _bench(name: str, scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    cache = scratch / "cache"
    if name == NOOP:
        folder, runtime, ways = seeded_folder("resnet18", scratch / name), EAGER, [OURS]
    else:
        folder = seeded_folder(name, scratch / name)
        runtime, ways = fastest(folder, "auto", cache), [OURS, OURS_EAGER]
    servers = [*ways, *filter(None, options.peers.split(","))]
    found: dict[str, Any] = {"runtime": runtime, "ceilings": [], "servers": {server: [] for server in servers}}
    clients = [int(count) for count in options.clients.split(",")]
    for number in range(options.rounds):
        ceilings = {}
        for label in () if name == NOOP else (EAGER, runtime):
            with CeilingProcess(folder, label, cache) as ceiling:
                ceilings[label] = ceiling.measure(options.seconds)
        found["ceilings"].append(ceilings)
        overload = options.overload and number == options.rounds - 1
        replies: dict[str, Any] = {}
        for server in servers:
            with _started(server, folder, cache, runtime) as running:
                replies[server] = score_one(running.port)
                result = _measured(running, clients, options.seconds, overload, _NOOP_BYTES if name == NOOP else 0)
            _check(server, replies[server], replies[OURS])
            found["servers"][server].append(result)
            rates = ", ".join(
                f"{count}: {load['rate']:.1f}/s p50 {load['p50_ms']:.0f}" for count, load in result["closed"].items()
            )
            print(f"  {name} round {number + 1} {server}: {rates}", flush=True)
    return found


def _started(server: str, folder: Path, cache: Path, runtime: str) -> AbstractContextManager[Server]:
    noop = folder.name == NOOP
    if server in COMMANDS:
        (checkpoint,) = folder.rglob("model.pt")
        return PeerServer(server, checkpoint, free_port(), noop=noop)
    if noop:
        return BenchServer(folder, free_port(), command=other_model("benchmarks.harness.noop_model:NoOp"))
    used = runtime if server == OURS else EAGER
    patience = ENDLESS if folder.name in DETECTORS else _PATIENT
    return BenchServer(folder, free_port(), "--runtime", used, "--cache-folder", str(cache), *patience)


def _measured(
    server: Server, clients: Sequence[int], seconds: float, overload: bool, image_bytes: int
) -> dict[str, Any]:
    def load(kind: str, size: float, seconds: float) -> Load:
        return run_load(server, kind, size, seconds, "--image-bytes", str(image_bytes), patience_s=_DEADLINE_S)

    load("closed", max(clients), _WARM_UP_S)
    closed = {str(count): load("closed", count, seconds) for count in clients}
    found: dict[str, Any] = {
        "ready_s": server.ready_s,
        "closed": {count: asdict(seen) for count, seen in closed.items()},
    }
    if overload:
        capacity = max(seen.rate for seen in closed.values())
        over = load("open", _OVERLOAD * capacity, _OVERLOAD_S)
        # As a share of what could be answered until the last request is of no more use
        found["overload"] = asdict(over) | {"goodput": over.in_time / (_OVERLOAD_S + _DEADLINE_S) / capacity}
    return found


def _check(server: str, reply: Any, expected: Any) -> None:
    """Raise RuntimeError where a server replies something else: comparing their speed would mean nothing."""
    one, other = _numbers(reply), _numbers(expected)
    if len(one) != len(other) or max((abs(p - q) for p, q in zip(one, other, strict=True)), default=0) > _CLOSE:
        raise RuntimeError(f"{server} says {reply}, expected {expected}")


def _numbers(reply: Any) -> list[float]:
    if "probs" in reply:
        return list(reply["probs"])
    return [value for found in reply["boxes"] for value in found["box"].values()]


def _print_rows(name: str, found: dict[str, Any]) -> None:
    print(f"\n{name}, {len(os.sched_getaffinity(0))} cores, runtime {found['runtime']}")
    for label in found["ceilings"][0]:
        print(f"  ceiling {label}: {spread([each[label]['rate'] for each in found['ceilings']])} images/s")
    ours = found["servers"][OURS]
    for server, taken in found["servers"].items():
        rows = [f"ready in {spread([one['ready_s'] for one in taken])} s"]
        for count in taken[0]["closed"]:
            rates = [one["closed"][count]["rate"] for one in taken]
            ratios = [mine["closed"][count]["rate"] / rate for mine, rate in zip(ours, rates, strict=True)]
            middle = statistics.median(one["closed"][count]["p50_ms"] for one in taken)
            cost = statistics.median(one["closed"][count]["cpu_s_per_1000"] for one in taken)
            rows.append(
                f"{count} clients {spread(rates)}/s, p50 {middle:.0f} ms, {cost:.1f} CPU s/1000, "
                f"ours {spread(ratios, 2)}x"
                + (f", mean ms: {split(stages)}" if (stages := taken[-1]["closed"][count]["stages"]) else "")
            )
        over = taken[-1].get("overload")
        if over:
            rows.append(f"3x overload: goodput {over['goodput']:.2f}, codes {over['codes']}")
        print(f"  {server:<17} {'; '.join(rows)}")


if __name__ == "__main__":
    main()
