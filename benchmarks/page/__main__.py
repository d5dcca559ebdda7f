"""What the page at /ui costs: python -m benchmarks.page.

In Chromium, against servers that are started for it: the bytes of a first visit; the time from the drop of an image of
800x600 until its 20 boxes are on the screen, beyond the time that the reply took; the frames while somebody zooms into
300 boxes. Without a browser: how soon the page begins to arrive while 64 clients saturate scoring.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.measured import run_load
from benchmarks.harness.report import write_report
from benchmarks.page.browser import browser_page
from benchmarks.page.gestures import boxes_after_drop_ms, remove_dropped, zoom_frames_ms
from benchmarks.serving import free_port, seeded_folder, spread
from examples.fridge.scene import draw_scene
from tests.support.folders.detector_folders import write_detector_folder

_BOXES, _MANY_BOXES = 20, 300
_CLIENTS = 64
_SIZE = (800, 600)


@dataclass(frozen=True, slots=True)
class PageFigure:
    """A figure of the page: what it is, its values, and the most that is wanted."""

    name: str
    values: list[float]
    unit: str
    wanted: float
    quantile: float = 0.5

    @property
    def value(self) -> float:
        """The quantile that counts."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(self.quantile * len(ordered)))]

    def row(self) -> str:
        """Return a line for people."""
        met = "met" if self.value <= self.wanted else "MISSED"
        which = "" if len(self.values) == 1 else f"{self.quantile:.0%} of {len(self.values)}: "
        return (
            f"  {self.name:<58} {which}{self.value:.1f} {self.unit} "
            f"(all {spread(self.values)}), wanted at most {self.wanted:g}: {met}"
        )


def main() -> None:
    """Measure, print a row for each figure, and write all numbers to a file."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="images that are dropped")
    options = parser.parse_args()
    machine = describe_machine("playwright")
    print(machine)
    figures = []
    for figure in (*_in_browser(options.rounds), *_under_load()):
        print(figure.row(), flush=True)
        figures.append(figure)
    write_report("page", {"machine": machine, "figures": [asdict(figure) for figure in figures]})


def _in_browser(rounds: int) -> Iterator[PageFigure]:
    with _detector(_BOXES) as server, browser_page(server.port) as (page, transferred):
        yield PageFigure("transferred by a first visit", [transferred() / 1024], "KiB", 60)
        image, beyond = _image(), []
        for _ in range(rounds + 1):
            beyond.append(boxes_after_drop_ms(page, image, _BOXES))
            remove_dropped(page)
        beyond = beyond[1:]  # the first one warms up
        yield PageFigure(f"from drop to {_BOXES} boxes, beyond the time of the reply", beyond, "ms", 50)
    with _detector(_MANY_BOXES) as server, browser_page(server.port) as (page, _):
        boxes_after_drop_ms(page, _image(), _MANY_BOXES)
        frames = zoom_frames_ms(page)
        yield PageFigure(f"a frame while zooming into {_MANY_BOXES} boxes", frames, "ms", 32, quantile=0.95)


def _image() -> bytes:
    stream = BytesIO()
    Image.fromarray(draw_scene(0, size=_SIZE).image).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@contextmanager
def _detector(boxes: int) -> Iterator[BenchServer]:
    """Serve a detector of random weights that finds so many objects in any image."""
    settings = {"min_size": 300, "max_size": 400, "box_score_thresh": 0.0, "box_detections_per_img": boxes}
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_detector_folder(Path(scratch) / "detector", base={**settings, "nms_iou_thresh": 0.95})
        with BenchServer(folder, free_port()) as server:
            yield server


def _under_load() -> Iterator[PageFigure]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = seeded_folder("resnet18", Path(scratch) / "resnet18")
        with BenchServer(folder, free_port()) as server:
            load = threading.Thread(target=run_load, args=(server, "closed", _CLIENTS, 12.0))
            load.start()
            time.sleep(2)  # the queue fills
            waits = _first_bytes_ms(server.port, 8.0)
            load.join()
    yield PageFigure(f"first byte of the page while {_CLIENTS} clients saturate scoring", waits, "ms", 20)
    yield PageFigure("the same, of 95 in 100", waits, "ms", 20, quantile=0.95)


def _first_bytes_ms(port: int, seconds: float) -> list[float]:
    waits, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        connection = HTTPConnection("127.0.0.1", port)
        started = time.perf_counter()
        connection.request("GET", "/ui")
        connection.getresponse().read(1)
        waits.append(1000 * (time.perf_counter() - started))
        connection.close()
        time.sleep(0.05)
    return waits


if __name__ == "__main__":
    main()
