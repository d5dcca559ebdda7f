"""Whether the server's memory and speed stay the same over many requests to a small model.

python -m benchmarks.memory [REQUESTS]; with --explain as many explanations by all algorithms, visualizations included.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.measured import run_load
from benchmarks.serving import free_port, seeded_folder
from explain.catalog import algorithm_names

_CONCURRENCY = 16
_SLICES = 10
_LOAD_S = 5


def main() -> None:
    """Send requests in slices and print memory and speed after each; the first slice only fills caches."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("requests", type=int, nargs="?", default=20_000)
    parser.add_argument("--explain", action="store_true")
    options = parser.parse_args()
    small = {"attributions": True, "attributions_format": "npy_base64", "visualization": "overlay"}
    parameters = [{"xai_algorithm": name} | small for name in algorithm_names("classifier")]
    flags = ("--explain", json.dumps(parameters)) if options.explain else ()
    with tempfile.TemporaryDirectory() as scratch:
        folder = seeded_folder("mobilenetv2", Path(scratch) / "model")
        (folder / "settings.json").write_text('{"valid_resize_size": 64, "valid_crop_size": 64}')
        with BenchServer(folder, free_port()) as server:
            each = options.requests // _SLICES
            warm_up, _ = _send(server, each, *flags)
            before = server.memory_bytes()
            print(f"after {warm_up} requests of warm-up: {before / 2**20:.1f} MiB")
            sent = 0
            for _ in range(_SLICES):
                count, rate = _send(server, each, *flags)
                sent += count
                now = server.memory_bytes()
                change = 100 * (now / before - 1)
                print(f"after {sent:>6} more: {now / 2**20:.1f} MiB ({change:+.2f}%), {rate:.1f} a second", flush=True)


def _send(server: BenchServer, count: int, *flags: str) -> tuple[int, float]:
    """Send at least `count` requests; return how many were sent, and how many a second."""
    sent, started = 0, time.perf_counter()
    while sent < count:
        codes = run_load(server, "closed", _CONCURRENCY, _LOAD_S, *flags).codes
        if set(codes) != {"200"}:
            raise RuntimeError(f"not all requests were answered: {codes}")
        sent += codes["200"]
    return sent, sent / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
