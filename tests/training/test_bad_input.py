"""Runs that cannot be: a sentence, exit code 3, nothing half-written, and the same command goes on afterwards."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.training.command import write_coloured_job
from training.__main__ import main

SMALL: dict[str, Any] = {"model_name": "mobilenetv2", "number_of_epochs": 1}
Run = Callable[[], tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the job in the folder; return the exit code and what was said."""
    monkeypatch.chdir(tmp_path)

    def ran() -> tuple[int, str]:
        code = main(["run", "colours.yml"])
        return code, capsys.readouterr().err

    return ran


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run has finished. Read only."""
    folder = tmp_path_factory.mktemp("finished")
    write_coloured_job(folder, count=12, **SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "colours.yml"]) == 0
    return folder


BOX = {"label": "red", "topX": 0.1, "topY": 0.1, "bottomX": 0.9, "bottomY": 0.9}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [{"image_url": f"{number}.png", "label": "red"} for number in range(4)],
            "image_missing on line 1: There is no",
        ),
        ([{"image_url": "images/0_0.png", "label": [BOX]}], "label_form on line 1: The image has boxes; expected one"),
        (
            [{"image_url": f"images/0_{number}.png", "label": str(number)} for number in range(2)],
            "a batch of one image",
        ),
        ([], "no image that can be used"),
    ],
    ids=["missing", "other task", "two images", "empty"],
)
def test_data_that_cannot_train_are_refused_with_their_first_fault(
    run: Run, tmp_path: Path, lines: list[dict[str, object]], said: str
) -> None:
    write_coloured_job(tmp_path, count=12, **SMALL)
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, errors = run()
    assert code == 3
    assert said in errors


def test_a_full_disk_is_named_at_each_write_and_the_run_goes_on_afterwards(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_coloured_job(tmp_path, count=12, **SMALL)
    really, refused, outputs = os.fsync, 0, tmp_path / "runs" / "colours" / "outputs"
    for number in range(60):
        left = [number]

        def fsync(descriptor: int) -> None:
            left[0] -= 1  # noqa: B023
            if left[0] < 0:  # noqa: B023
                raise OSError(28, os.strerror(28))
            really(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        code, errors = run()
        files = [file for file in (tmp_path / "runs").rglob("*") if file.is_file() and file.name != ".lock"]
        assert not any(file.name.startswith(".") or file.suffix == ".growing" for file in files)
        if code == 0:
            break
        refused += 1
        assert code == 3
        assert "runs/colours" in errors
        assert "No space left on device" in errors
        assert not outputs.exists() or (outputs / "manifest.json").exists()
    assert refused > 10
    assert (outputs / "manifest.json").exists()


@pytest.mark.parametrize(
    "name", ["run.json", "metrics.jsonl", "evaluation.json", "last/state.safetensors", "best/state.safetensors"]
)
@pytest.mark.parametrize("content", [b"", b"[]", b'{"epo'], ids=["empty", "list", "cut"])
def test_a_damaged_file_of_a_run_is_named_with_what_to_remove(
    run: Run, finished: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "runs" / "colours"
    description = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(description | {"state": "running"}))
    (folder / name).write_bytes(content)
    code, errors = run()
    if (name, content) == ("metrics.jsonl", b""):  # it is written again from the state
        assert code == 0
        return
    assert code == 3
    assert f"runs/colours/{name}" in errors
    assert "emove the folder" in errors
