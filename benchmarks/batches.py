"""Batch sizes: servers of one model that differ only in --max-batch-images: python -m benchmarks.batches.

0 is the size that the server chooses itself. All servers run from the start and are measured in turns; the others idle
meanwhile.
"""

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.measured import Load, run_load
from benchmarks.harness.report import write_report
from benchmarks.serving import fastest, free_port, seeded_folder, spread

_WARM_UP_S = 1.0


def bench_model(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one architecture and print its rows."""
    sizes, clients = ([int(each) for each in listed.split(",")] for listed in (options.sizes, options.clients))
    loads: dict[tuple[int, int], list[Load]] = {(count, size): [] for count in clients for size in sizes}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        folder, cache = seeded_folder(name, Path(scratch) / name), Path(scratch) / "cache"
        runtime = fastest(folder, options.runtime, cache)
        flags = ("--runtime", runtime, "--cache-folder", str(cache), "--queue-limit-ms", "60000")
        servers = {
            size: running.enter_context(BenchServer(folder, free_port(), "--max-batch-images", str(size), *flags))
            for size in sizes
        }
        for server in servers.values():
            run_load(server, "closed", max(clients), _WARM_UP_S)
        for _ in range(options.rounds):
            for (count, size), measured in loads.items():
                measured.append(run_load(servers[size], "closed", count, options.seconds))
    print(f"\n{name}, runtime {runtime}")
    for (count, size), measured in loads.items():
        latency = statistics.median(load.p50_ms for load in measured)
        cost = statistics.median(load.cpu_s_per_1000 for load in measured)
        rate = spread([load.rate for load in measured])
        print(f"  {count} clients, batches of {size}: {rate} images/s, p50 {latency:.0f} ms, {cost:.1f} CPU s/1000")
    rows = [
        {"clients": count, "size": size, "loads": [asdict(load) for load in measured]}
        for (count, size), measured in loads.items()
    ]
    return {"runtime": runtime, "rows": rows}


def main() -> None:
    """Measure the models named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--models", default="mobilenetv2,resnet50", help="architectures, separated by commas")
    parser.add_argument("--sizes", default="1,2,4,8,16,0", help="values of --max-batch-images, separated by commas")
    parser.add_argument("--clients", default="8", help="clients of closed loops, separated by commas")
    parser.add_argument("--seconds", type=float, default=5, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime", default="auto", help="auto for the fastest runtime, or the name of one")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": describe_machine(), "options": vars(options), "models": {}}
    print(json.dumps(result["machine"]), flush=True)
    for name in options.models.split(","):
        result["models"][name] = bench_model(name, options)
    write_report("batches", result)


if __name__ == "__main__":
    main()
