"""A GPU server over HTTP beside the ceilings of its GPU and of the CPU cores: python -m benchmarks.gpu.

Servers start one after the other, so that each has the device to itself while it tries batch sizes, and are measured in
the same order. The ceilings are the forward pass alone, on images that are on the device, and decoding alone, by one
process per core. Peers compute the same in the same precision; those that are not installed are left out, and the
reason is printed.
"""

import argparse
import json
import multiprocessing
import re
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.ceiling import rate_of
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.measured import run_load, split
from benchmarks.harness.payload import encoded_images
from benchmarks.harness.report import write_report
from benchmarks.peers.peer_server import PeerServer
from benchmarks.serving import free_port, seeded_folder
from models.images.decoding import ImageLimits
from models.loaded import load, load_classifier
from models.runtime.runtime import ComputeOptions, available
from server.cores import usable_cores

_LIMITS = ImageLimits(2**30, 2**30)
_PATIENT = ("--queue-limit-ms", "10000")
_BATCHES = (32, 64, 128)
_BATCH = re.compile(r"^sightglass_batch_images_(count|sum)\{.*\} (\S+)$", re.MULTILINE)
_DECODED = 64  # images that one process decodes per call

Server = BenchServer | PeerServer


@dataclass(frozen=True, slots=True)
class Entry:
    """A server to measure: its name, the model it serves, and the object that starts it."""

    name: str
    model: str
    server: Server


def forward_rate(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Return images per second of the forward pass alone, by batch size, on images that are on the device."""
    model = load_classifier(folder, device=options.device, precision=options.precision)
    graph = available()[options.runtime].load(model.graph_source(), None, ComputeOptions(model.device, model.precision))
    rates = {}
    for batch in _BATCHES:
        inputs = torch.stack(model.example(batch)).to(model.device)

        def work(inputs: torch.Tensor = inputs) -> None:
            with torch.inference_mode():
                graph(inputs)[0][0].cpu()

        rates[str(batch)] = _rate(work, batch, options.seconds / 4)
    return rates


def decode_rate(folder: Path, seconds: float) -> float:
    """Return images per second of decoding and resizing alone, by one process per core."""
    cores = usable_cores()
    # A forked child would share this process's GPU context
    with multiprocessing.get_context("spawn").Pool(cores, _decoder, (folder,)) as pool:
        return _rate(lambda: pool.map(_decode, range(4 * cores), chunksize=1), 4 * cores * _DECODED, seconds)


_read: Callable[[bytes], object]
_encoded: Sequence[bytes]


def _decoder(folder: Path) -> None:
    global _read, _encoded  # kept by each process of the pool
    torch.set_num_threads(1)
    model = load(folder)
    settings = model.settings({})
    _read, _encoded = lambda data: model.read(data, _LIMITS, settings), encoded_images()


def _decode(start: int) -> None:
    for number in range(_DECODED):
        _read(_encoded[(start + number) % len(_encoded)])


def _rate(work: Callable[[], object], images: int, seconds: float) -> float:
    for _ in range(3):
        work()
    return rate_of(work, images, seconds)


def _load(server: Server, clients: int, seconds: float) -> dict[str, Any]:
    processes = min(clients, max(1, usable_cores() // 4))
    before = _batches(server)
    result = asdict(run_load(server, "closed", clients, seconds, "--processes", str(processes)))
    count, images = (after - earlier for after, earlier in zip(_batches(server), before, strict=True))
    return result | {"batch": images / count if count else None}


def _batches(server: Server) -> tuple[float, float]:
    """Return how many batches and images a server of ours has computed so far; zeros for a peer."""
    if not isinstance(server, BenchServer):
        return 0.0, 0.0
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as reply:
        totals = dict(_BATCH.findall(reply.read().decode()))
    return float(totals["count"]), float(totals["sum"])


def _started(entry: Entry, running: ExitStack) -> str | None:
    try:
        running.enter_context(entry.server)
    except (RuntimeError, OSError) as error:
        return str(error)[-1000:]
    return None


def _entries(folders: dict[str, Path], options: argparse.Namespace) -> list[Entry]:
    entries = []
    for model, folder in folders.items():
        compute = ("--runtime", options.runtime, "--precision", options.precision)
        for engines, decode_workers in product(options.engines.split(","), options.decode_workers.split(",")):
            devices = ",".join([options.device] * int(engines))
            flags = ("--device", devices, "--decode-workers", decode_workers, *compute, *_PATIENT)
            name = f"sightglass, engines: {engines}, decode workers: {decode_workers}"
            entries.append(Entry(name, model, BenchServer(folder, free_port(), *flags)))
        peers = filter(None, options.peers.split(","))
        entries += [Entry(peer, model, PeerServer(peer, folder / "model.pt", free_port())) for peer in peers]
    return entries


def _print_row(entry: Entry, loads: dict[str, Any], ceilings: dict[str, float]) -> None:
    bound = min(ceilings, key=ceilings.__getitem__)
    rows = [
        f"{clients} clients {load['rate']:.0f}/s, p50 {load['p50_ms']:.1f}, p99 {load['p99_ms']:.0f} ms, "
        f"{load['cpu_s_per_1000']:.1f} CPU s/1000, {load['cores']:.1f} cores busy, codes {load['codes']}"
        + (f", {load['batch']:.0f} images a batch" if load["batch"] else "")
        + (f", mean ms: {split(load['stages'])}" if load["stages"] else "")
        for clients, load in loads.items()
    ]
    most = max(load["rate"] for load in loads.values())
    shares = ", ".join(f"{most / rate:.2f} of {name}" for name, rate in ceilings.items())
    print(f"  {entry.model} {entry.name}: {'; '.join(rows)}; {shares}; bound by {bound}", flush=True)


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--models", default="resnet50,mobilenetv2", help="classifiers, separated by commas")
    parser.add_argument("--engines", default="1", help="engine processes of the device, separated by commas")
    parser.add_argument("--decode-workers", default="auto,0", help="decode_workers of each engine, separated by commas")
    parser.add_argument(
        "--precision", default="fp32", help="precision of our servers and of the ceiling; peers compute in fp32"
    )
    parser.add_argument("--peers", default="fastapi,litserve,mosec", help="servers beside ours, separated by commas")
    parser.add_argument("--clients", default="1,256", help="clients of closed loops, separated by commas")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--runtime", default="cuda_graphs")
    parser.add_argument("--seconds", type=float, default=3, help="length of one measurement")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": describe_machine(), "options": vars(options), "models": {}}
    print(json.dumps(result["machine"]), flush=True)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        folders = {name: seeded_folder(name, Path(scratch) / name) for name in options.models.split(",")}
        entries = _entries(folders, options)
        since = time.perf_counter()
        errors = [_started(entry, running) for entry in entries]
        print(f"started in {time.perf_counter() - since:.0f} s", flush=True)
        ceilings, clients = {}, list(map(int, options.clients.split(",")))
        decode = decode_rate(next(iter(folders.values())), options.seconds / 2)  # all take images of the same size
        for name, folder in folders.items():
            forward = forward_rate(folder, options)
            ceilings[name] = {"forward": max(forward.values()), "decode": decode}
            result["models"][name] = {"ceilings": ceilings[name], "forward": forward, "servers": {}}
            print(f"  {name} ceilings: forward {forward}, decode {decode:.0f}", flush=True)
        try:
            for entry, error in zip(entries, errors, strict=True):
                if error is not None:
                    print(f"  {entry.model} {entry.name}: left out: {error}", flush=True)
                    continue
                _load(entry.server, max(clients), options.seconds / 2)
                loads = {str(each): _load(entry.server, each, options.seconds) for each in clients}
                result["models"][entry.model]["servers"][entry.name] = {"ready_s": entry.server.ready_s, "loads": loads}
                _print_row(entry, loads, ceilings[entry.model])
        finally:  # keeps what is measured even if the machine is taken away
            write_report("gpu", result)


if __name__ == "__main__":
    main()
