"""Decoded images in their folder, after whatever happened to it."""

import os
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from data.dataset import CheckedImage
from data.progress import ProgressReport
from tests.support.training.coloured_images import coloured_images
from training.decoded_images import DecodedImages, decode_images
from training.errors import TrainingError


@pytest.fixture
def images(tmp_path: Path) -> tuple[CheckedImage, ...]:
    return coloured_images(tmp_path / "images", 3)


def decoded(images: tuple[CheckedImage, ...], folder: Path) -> DecodedImages:
    report = ProgressReport(stream=StringIO())
    return decode_images(images, np.asarray, "whole", exif=False, folder=folder, report=report)


def test_files_that_are_not_whole_are_written_anew(images: tuple[CheckedImage, ...], tmp_path: Path) -> None:
    folder = tmp_path / "decoded"
    expected = [each.copy() for each in decoded(images, folder)]
    pixels, index = (next(folder.glob(f"*.{kind}")) for kind in ("pixels", "json"))
    whole = {pixels: pixels.read_bytes(), index: index.read_bytes()}
    for file, content in whole.items():
        file.write_bytes(content[: len(content) // 2])
        again = decoded(images, folder)
        assert all(np.array_equal(one, other) for one, other in zip(again, expected, strict=True))
        assert {each: each.read_bytes() for each in sorted(folder.iterdir(), reverse=True)} == whole


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(
    images: tuple[CheckedImage, ...], tmp_path: Path
) -> None:
    old, young = tmp_path / "1.growing", tmp_path / "2.growing"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    decoded(images, tmp_path)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_be_written_is_named(images: tuple[CheckedImage, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"cannot be kept in .*/file: .*Name another folder with --decoded"):
        decoded(images, tmp_path / "file")
