"""The example of a scoring script: trained, served and called as its README says."""

import re
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from examples.digits.client import main as run_client
from examples.digits.images import split
from examples.digits.train import FILE
from examples.digits.train import main as train
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer

SCRIPT = ROOT / "examples" / "digits" / "score.py"


def test_the_confusion_matrix_of_the_replies_is_that_of_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train([str(tmp_path / "model")]) == 0
    with LiveServer("--entry-script", SCRIPT, "--model-dir", tmp_path / "model", "--workers", "2") as server:
        capsys.readouterr()
        assert run_client([server.url]) == 0
    rows = [re.findall(r"\d+", line) for line in capsys.readouterr().out.splitlines()]
    matrix = np.array([row[1:] for row in rows if len(row) == 11], int)
    _, test = split()
    expected = confusion_matrix(test.labels, joblib.load(tmp_path / "model" / FILE).predict(test.images))
    assert (matrix == expected).all()
    assert np.trace(matrix) > 0.95 * len(test.labels)
    assert rows[-1] == [str(np.trace(matrix)), str(len(test.labels))]


def test_a_server_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_client(["http://localhost:1"]) == 1
    assert "http://localhost:1 does not answer" in capsys.readouterr().err
