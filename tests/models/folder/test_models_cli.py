import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.__main__ import main
from models.folder.registration import register
from tests.support.folders.checkpoints import write_automl_folder, write_plain_folder
from tests.support.repository import ROOT

SIZES = (40, 32)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source")
    return write_plain_folder(path, architecture="torchvision/shufflenet_v2_x0_5", sizes=SIZES)


def spoil(folder: Path) -> None:
    file = folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "models", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def assert_refused(code: int, out: str, err: str, *words: str) -> None:
    assert code == 3
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_register_list_and_check(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--model-root", str(tmp_path)]
    for number in (1, 2):
        assert main(["register", str(source), "--name", "fridge", *root]) == 0
        assert capsys.readouterr().out == f"registered fridge@{number} in {tmp_path}/fridge/{number}\n"
    assert main(["register", str(source), "--name", "arctic", "--version", "12", *root]) == 0
    capsys.readouterr()

    assert main(["list", *root]) == 0
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["arctic@12", "fridge@1", "fridge@2"]
    assert rows[0][1:4] == ["multiclass", "torchvision/shufflenet_v2_x0_5", "4 labels"]

    for words, checked in (
        ([], ["arctic@12", "fridge@1", "fridge@2"]),
        (["fridge"], ["fridge@2"]),
        (["fridge@1"], ["fridge@1"]),
        (["fridge@latest"], ["fridge@2"]),
    ):
        assert main(["check", *words, *root]) == 0
        assert capsys.readouterr() == ("".join(f"{name}  ok\n" for name in checked), "")


def test_check_goes_on_after_a_spoiled_version(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        register(source, tmp_path, "fridge")
    spoil(tmp_path / "fridge/2")
    assert main(["check", "--model-root", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert out == "fridge@1  ok\nfridge@3  ok\n"
    assert err.startswith("fridge@2  ")
    assert "model.safetensors missing, added or changed" in err


def test_list_without_models_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--model-root", str(tmp_path / "nothing")]) == 0
    assert capsys.readouterr() == ("", "nothing is registered\n")


def test_register_refuses_in_one_line(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--model-root", str(tmp_path / "root")]
    code = main(["register", str(tmp_path / "nothing"), "--name", "fridge", *root])
    assert_refused(code, *capsys.readouterr(), "nothing does not exist")
    code = main(["register", str(source), "--name", "a/b", *root])
    assert_refused(code, *capsys.readouterr(), "'a/b' is no name for a model")
    folder = write_automl_folder(tmp_path / "run", settings={"valid_crop_size": 0}, state={"x": torch.zeros(1)})
    code = main(["register", str(folder), "--name", "fridge", *root])
    assert_refused(code, *capsys.readouterr(), "settings.json", "'valid_crop_size' is 0")


@pytest.mark.parametrize("place", ["root", "name"])
def test_a_file_in_the_way_is_named(
    tmp_path: Path, source: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    if place == "root":
        root.touch()
    else:
        root.mkdir()
        (root / "fridge").touch()
    code = main(["register", str(source), "--name", "fridge", "--model-root", str(root)])
    assert_refused(code, *capsys.readouterr(), str(root))


def test_check_of_an_unknown_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", "fridge", "--model-root", str(tmp_path)])
    assert_refused(code, *capsys.readouterr(), "No model 'fridge' is registered", "Registered: none")


@pytest.mark.parametrize(
    "words",
    [[], ["serve"], ["register"], ["register", "x"], ["register", "x", "--name", "n", "--version", "two"]],
    ids=["nothing", "unknown", "no folder", "no name", "no number"],
)
def test_bad_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: python -m models" in capsys.readouterr().err


def test_the_real_command_says_one_sentence_without_a_traceback(tmp_path: Path, source: Path) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    os.truncate(folder / "model.safetensors", 1000)
    done = run("register", folder, "--name", "fridge", "--model-root", tmp_path / "root")
    assert_refused(done.returncode, done.stdout, done.stderr, "model.safetensors", "Copy the file again.")
    assert list((tmp_path / "root").iterdir()) == []

    register(source, tmp_path / "root", "fridge")
    spoil(tmp_path / "root/fridge/1")
    done = run("check", "fridge@latest", "--model-root", tmp_path / "root")
    assert done.returncode == 3
    assert "is not as it was registered" in done.stderr
    assert "Traceback" not in done.stderr
