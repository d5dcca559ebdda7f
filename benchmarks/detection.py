"""What detectors cost and how exact they are: python -m benchmarks.detection.

Measures tiled requests over HTTP beside the hosted recipe (which decodes the image again for each tile and computes
batches of one), outlines per instance beside the recipe's, and how far a reply moves with the other images in its batch
or with padding. Rounds are interleaved, so ratios hold on a machine whose speed drifts. For rates of plain requests see
benchmarks.serving.
"""

import argparse
import base64
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torchvision.models.detection.roi_heads import paste_masks_in_image

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.payload import encoded_images
from benchmarks.harness.report import write_report
from benchmarks.serving import DETECTION, free_port, spread
from models.detection.adapter import Detections, DetectorInput
from models.detection.instances import Instances, objects
from models.detection.masks import with_outlines
from models.detector import Detector
from models.images.decoding import ImageLimits
from models.loaded import load
from server.cores import usable_cores
from settings.model import SegmentationSettings
from tests.support.folders.detector_folders import Reference, seeded_detector, write_detector_folder
from tests.support.references.outlines import plain_polygons
from tests.support.references.tiling import slowly

GRID = (3, 2)
_LIMITS = ImageLimits(2**30, 2**30)
_INSTANCES = 50
_PADDINGS = (32, 64, 128)


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds that `work` took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bench_tiles(name: str, rounds: int) -> dict[str, list[float]]:
    """Time a request for a whole image and its 3x2 tiles, in turns by the recipe and over HTTP."""
    recipe = Reference(name, DETECTION, seeded_detector(name))
    images = encoded_images()[:rounds]
    times: dict[str, list[float]] = {"recipe_s": [], "server_s": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_detector_folder(Path(scratch) / name, name, base=DETECTION)
        with BenchServer(folder, free_port(), "--request-timeout-ms", "600000") as server:
            for data in (images[0], *images):  # the first one only warms up
                times["recipe_s"].append(
                    seconds_of(lambda data=data: slowly(recipe, data, GRID, overlap=0.25, threshold=0.25))  # type: ignore[misc]
                )
                times["server_s"].append(seconds_of(lambda data=data: _tiled(server.port, data)))  # type: ignore[misc]
    return {key: values[1:] for key, values in times.items()}


def _tiled(port: int, data: bytes) -> None:
    body = {"image": base64.b64encode(data).decode(), "inference_parameters": {"tile_grid_size": GRID}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/score", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:
        reply.read()


def bench_outlines(rounds: int) -> dict[str, list[float]]:
    """Time the outlines of an instance in an image of 800x600, ours and by the recipe, which makes them twice."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 0.6, (_INSTANCES, 2))
    boxes = np.concatenate([corners, corners + random.uniform(0.1, 0.4, (_INSTANCES, 2))], 1)
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    radii = random.uniform(0.4, 0.9, _INSTANCES)
    masks = np.stack([1 / (1 + np.exp(8 * (x**2 + y**2 - radius))) for radius in radii]).astype(np.float32)
    size = (600, 800)
    instances = Instances(
        boxes,
        np.ones(_INSTANCES, np.float32),
        np.zeros(_INSTANCES, np.int64),
        list(masks),
        size,
        SegmentationSettings(),
        np.zeros(_INSTANCES, np.int64),
    )

    def recipe() -> None:
        pixels = torch.from_numpy((boxes * (800, 600, 800, 600)).astype(np.float32))
        pasted = paste_masks_in_image(torch.from_numpy(masks)[:, None], pixels, size)
        for mask in pasted[:, 0]:
            for _ in range(2):
                plain_polygons((mask > 0.5).numpy(), 100)

    times: dict[str, list[float]] = {"recipe_ms": [], "ours_ms": []}
    for _ in range(rounds):
        times["recipe_ms"].append(1000 / _INSTANCES * seconds_of(recipe))
        times["ours_ms"].append(
            1000 / _INSTANCES * seconds_of(lambda: with_outlines(instances, objects(instances, ["object"])))
        )
    return times


def bench_batches(name: str) -> dict[str, float]:
    """Measure how far boxes move, in pixels of the network's input, in a batch of four images and with padding."""
    with tempfile.TemporaryDirectory() as scratch:
        model = load(write_detector_folder(Path(scratch) / name, name, base=DETECTION))
    assert isinstance(model, Detector)
    settings = model.settings({})
    inputs = [model.read(data, _LIMITS, settings).inputs[0].data for data in encoded_images()[:4]]
    batched, single = model.outputs(inputs), [model.outputs([one])[0] for one in inputs]
    distances = {"batch": max(_distance(one, other, inputs[0]) for one, other in zip(batched, single, strict=True))}
    for padding in _PADDINGS:
        distances[f"padding {padding}"] = _distance(_padded(model, inputs[0], padding), single[0], inputs[0])
    return distances


def _padded(model: Detector, image: DetectorInput, padding: int) -> Detections:
    """Return the detections for an image that is padded with black, as beside a larger image in its batch."""
    graph: Any = model.graph
    padded = model.with_runtime("padded", lambda batch: graph(functional.pad(batch, (0, padding, 0, padding))))
    return padded.outputs([image])[0]


def _distance(one: Detections, other: Detections, image: DetectorInput) -> float:
    """Return the largest distance between corners of a box and of the nearest box with its label, in pixels."""
    height, width = image.size
    pixels = torch.tensor([width, height, width, height])
    distances = ((one.boxes * pixels)[:, None] - (other.boxes * pixels)[None]).abs().amax(2)
    distances[one.labels[:, None] != other.labels[None]] = float("inf")
    return float(distances.amin(1).max())


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--models", default="fasterrcnn_resnet50_fpn", help="detectors, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a single round, to see that it works")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    torch.set_num_threads(usable_cores())
    result: dict[str, Any] = {"machine": describe_machine(), "rounds": rounds, "outlines": bench_outlines(rounds)}
    print(json.dumps(result["machine"]))
    outlines = result["outlines"]
    print(
        f"outlines: {spread(outlines['ours_ms'], 2)} ms an instance, the recipe {spread(outlines['recipe_ms'], 2)}, "
        f"{statistics.median(outlines['recipe_ms']) / statistics.median(outlines['ours_ms']):.1f}x"
    )
    for name in options.models.split(","):
        batches, tiles = bench_batches(name), bench_tiles(name, rounds)
        result[name] = {"batches": batches, "tiles": tiles}
        ratios = [slow / fast for slow, fast in zip(tiles["recipe_s"], tiles["server_s"], strict=True)]
        moved = ", ".join(f"{what} {pixels:.1e}" for what, pixels in batches.items())
        print(f"{name}\n  boxes move, in pixels: {moved}")
        print(
            f"  {GRID[0]}x{GRID[1]} tiles: {spread(tiles['server_s'], 2)} s over HTTP, the recipe "
            f"{spread(tiles['recipe_s'], 2)} s, {spread(ratios, 2)}x (wanted 1.3 on two cores)"
        )
    write_report("detection", result)


if __name__ == "__main__":
    main()
