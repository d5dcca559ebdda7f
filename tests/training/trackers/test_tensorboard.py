"""TensorBoard's event files, read back."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from training.trackers.tensorboard import TensorBoardTracker
from training.trackers.tracker import TrackedRun, TrackerError


def events(folder: Path) -> Iterator[Any]:
    """Read the files as TensorFlow writes records: a length, bytes, and a masked checksum of each."""
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack_from("<Q", data)
            body, (checksum,) = data[12 : 12 + length], struct.unpack_from("<I", data, 12 + length)
            plain = crc32c(body)
            assert checksum == (((plain >> 15) | (plain << 17)) + 0xA282EAD8) & 0xFFFFFFFF
            yield Event.FromString(body)
            data = data[16 + length :]


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    return [
        (event.step, value.tag, value.simple_value)
        for event in events(folder)
        for value in event.summary.value
        if value.HasField("simple_value")
    ]


def run(folder: Path, first_epoch: int = 0) -> TrackedRun:
    return TrackedRun("fridge", folder, {"learning_rate": 0.01, "model_name": "resnet18"}, first_epoch)


def test_metrics_are_there_as_soon_as_they_are_logged(tmp_path: Path) -> None:
    tracker = TensorBoardTracker()
    tracker.start(run(tmp_path))
    tracker.log(0, {"accuracy": 0.5, "log_loss": 1.25})
    assert scalars(tmp_path / "tensorboard") == [(0, "accuracy", 0.5), (0, "log_loss", 1.25)]
    tracker.log(2, {"accuracy": 0.75, "log_loss": float("nan")})
    tracker.end("finished")
    assert scalars(tmp_path / "tensorboard")[2:] == [(2, "accuracy", 0.75)]
    texts = [
        value.tensor.string_val[0]
        for event in events(tmp_path / "tensorboard")
        for value in event.summary.value
        if value.HasField("tensor")
    ]
    assert b'"learning_rate": 0.01' in texts[0]


def test_a_run_that_goes_on_replaces_what_it_repeats(tmp_path: Path) -> None:
    for first in (0, 1):
        tracker = TensorBoardTracker()
        tracker.start(run(tmp_path, first))
        for epoch in range(first, first + 2):
            tracker.log(epoch, {"accuracy": epoch / 4})
        tracker.end("stopped")
    # TensorBoard drops all steps from that of such an event on, before it reads further
    restarts = [event.step for event in events(tmp_path / "tensorboard") if event.session_log.status == 1]
    assert restarts == [1]
    assert [step for step, _, _ in scalars(tmp_path / "tensorboard")] == [0, 1, 1, 2]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(TrackerError, match="pip install tensorboardX"):
        TensorBoardTracker()


def test_a_full_disk_is_an_error_and_not_an_endless_wait(tmp_path: Path) -> None:
    tracker = TensorBoardTracker()
    tracker.start(run(tmp_path))
    tracker.end("stopped")
    with Path("/dev/full").open("wb") as full:
        tracker._file._py_recordio_writer._writer = full
        for epoch in range(20):
            with pytest.raises(OSError, match="No space left"):
                tracker.log(epoch, {"accuracy": 0.5})
        with pytest.raises(OSError, match="No space left"):
            full.close()
