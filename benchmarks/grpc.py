"""gRPC beside REST: python -m benchmarks.grpc.

Both carry the same images by the Open Inference Protocol, with binary tensors, to one server. Each round measures both,
in turns, so that a machine whose speed drifts favours neither. With --empty, the model neither decodes nor computes,
which leaves the cost of the protocol.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.report import write_report
from benchmarks.serving import free_port, seeded_folder
from tests.support.servers.other_model import other_model

_WAYS = ("rest", "grpc")


def main() -> None:
    """Measure, print a table, and write the results to benchmarks/results/."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grpc")
    parser.add_argument("--model", default="mobilenetv2")
    parser.add_argument("--empty", action="store_true", help="a model that neither decodes nor computes")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    options = parser.parse_args()
    machine = describe_machine()
    print(json.dumps(machine))
    with tempfile.TemporaryDirectory() as scratch:
        folder = seeded_folder(options.model, Path(scratch) / options.model)
        grpc_port = free_port()
        command = {"command": other_model("benchmarks.harness.noop_model:NoOp")} if options.empty else {}
        with BenchServer(folder, free_port(), "--grpc-port", str(grpc_port), **command) as server:
            ports = {"rest": server.port, "grpc": grpc_port}
            found = {str(clients): _compared(server, ports, clients, options) for clients in options.clients}
    write_report("grpc", {"machine": machine, "options": vars(options), "clients": found})


def _compared(
    server: BenchServer, ports: dict[str, int], clients: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Measure both ways by so many clients, and print their median rates and the ratio of a round."""
    for way in _WAYS:
        _load(server, way, ports[way], options.model, clients, 1.0)
    rounds = []
    for number in range(options.rounds):
        order = _WAYS if number % 2 == 0 else _WAYS[::-1]
        rounds.append({way: _load(server, way, ports[way], options.model, clients, options.seconds) for way in order})
    medians = {
        way: {fact: statistics.median(each[way][fact] for each in rounds) for fact in ("rate", "p50_ms", "cpu_ms")}
        for way in _WAYS
    }
    ratios = sorted(each["grpc"]["rate"] / each["rest"]["rate"] for each in rounds)
    text = "  ".join(
        f"{way} {one['rate']:.1f}/s, p50 {one['p50_ms']:.1f} ms, {one['cpu_ms']:.2f} ms of cores each"
        for way, one in medians.items()
    )
    print(f"{clients:>3} clients  {text}  gRPC/REST {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})")
    return rounds


def _load(server: BenchServer, *words: object) -> dict[str, Any]:
    before = server.cpu_s()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness.open_inference_load", *map(str, words)],
        stdout=subprocess.PIPE,
        check=True,
    )
    cpu_s, result = server.cpu_s() - before, json.loads(done.stdout)
    answers = result["codes"].get("200", 0)
    if set(result["codes"]) != {"200"}:
        print(f"{words[0]}: {result['codes']}", file=sys.stderr)
    return {
        "codes": result["codes"],
        "rate": answers / result["seconds"],
        "p50_ms": 1000 * statistics.median(result["latencies"]),
        "cpu_ms": 1000 * cpu_s / max(1, answers),
    }


if __name__ == "__main__":
    main()
