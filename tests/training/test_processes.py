"""Several processes of one run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.training.command import run_training, training_environment, write_coloured_job

# A transformer: batch norms would see half of each batch in each process
_EQUAL: dict[str, Any] = {"model_name": "vits16r224", "precision": "fp32", "number_of_epochs": 2}


def _losses(folder: Path) -> list[float]:
    lines = (folder / "runs" / "colours" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["log_loss_train"] for line in lines]


def test_two_processes_learn_as_one_does_with_batches_twice_as_large(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    # Each of two processes takes its own batch, and the learning rate once for each
    write_coloured_job(one, training_batch_size=12, learning_rate=0.02, **_EQUAL)
    write_coloured_job(two, training_batch_size=6, learning_rate=0.01, **_EQUAL)
    for folder, arguments in ((one, ()), (two, ("--processes", "2"))):
        done = run_training(folder, "run", "colours.yml", *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("finished; the model is in") == 1
    assert _losses(two) == pytest.approx(_losses(one), abs=1e-5)


def test_sigterm_ends_all_processes_well(tmp_path: Path) -> None:
    write_coloured_job(tmp_path, number_of_epochs=200)
    command = [sys.executable, "-m", "training", "run", "colours.yml", "--processes", "2"]
    with subprocess.Popen(command, cwd=tmp_path, env=training_environment(), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "runs" / "colours" / "metrics.jsonl").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert b"stopped; the same command goes on" in errors
    assert b"Traceback" not in errors
