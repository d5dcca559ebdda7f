"""Does the server's memory stay flat? python -m benchmarks.memory [REQUESTS]: a small model, many requests."""

import sys
import tempfile
from pathlib import Path

from benchmarks.bench_server import BenchServer
from benchmarks.serving import run_load, seeded_folder

_CONCURRENCY = 16
_SLICES = 10
_WARM_UP = 2000


def main(requests: int) -> None:
    """Send requests in slices and print the memory after each; the first ones fill caches and do not count."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = seeded_folder("mobilenetv2", Path(scratch) / "model")
        (folder / "settings.json").write_text('{"valid_resize_size": 64, "valid_crop_size": 64}')
        with BenchServer(folder, 5099) as server:
            _send(server, _WARM_UP)
            before = server.memory_bytes()
            print(f"after {_WARM_UP} requests of warm-up: {before / 2**20:.1f} MiB")
            sent = 0
            for _ in range(_SLICES):
                sent += _send(server, requests // _SLICES)
                now = server.memory_bytes()
                print(f"after {sent:>6} more: {now / 2**20:.1f} MiB ({100 * (now / before - 1):+.2f}%)", flush=True)


def _send(server: BenchServer, count: int) -> int:
    sent = 0
    while sent < count:
        codes = run_load(server, "closed", "closed", _CONCURRENCY, 5).codes
        if set(codes) != {"200"}:
            raise RuntimeError(f"not all requests were answered: {codes}")
        sent += codes["200"]
    return sent


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
