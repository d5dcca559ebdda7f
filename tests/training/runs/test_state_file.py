import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.support.repository import ROOT
from training.errors import TrainingError
from training.runs.state_file import load_state, remove_leftovers, save_state


def test_a_nested_state_comes_back_as_it_was(tmp_path: Path) -> None:
    shared = torch.arange(6.0).view(2, 3)
    state = {
        "network": {"a.weight": shared, "tied": shared, "half": torch.ones(2, dtype=torch.bfloat16)},
        "optimizer": {"state": {0: {"step": torch.tensor(3.0), "buffer": None}}, "groups": [{"lr": 0.1, "p": [0, 1]}]},
        "empty": {},
        "text": "best",
        "channels_last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    }
    save_state(tmp_path / "last" / "state.safetensors", state)
    loaded = load_state(tmp_path / "last" / "state.safetensors")
    assert loaded["optimizer"]["state"][0]["buffer"] is None
    assert loaded["optimizer"]["groups"] == state["optimizer"]["groups"]  # type: ignore[index]
    assert loaded["text"] == "best"
    assert loaded["empty"] == {}
    assert torch.equal(loaded["network"]["tied"], shared)
    assert loaded["network"]["half"].dtype == torch.bfloat16
    assert torch.equal(loaded["channels_last"], state["channels_last"])  # type: ignore[arg-type]


def test_a_write_that_fails_leaves_the_old_state_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.safetensors"
    save_state(file, {"epoch": 1})

    def no_room(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space left"):
        save_state(file, {"epoch": 2})
    monkeypatch.undo()
    assert load_state(file) == {"epoch": 1}
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100])
def test_a_damaged_state_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "state.safetensors"
    file.write_bytes(content)
    with pytest.raises(TrainingError, match=r"state\.safetensors is damaged"):
        load_state(file)


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """The library's own name is seen while it writes a file of many tensors, by a process that is killed then."""
    script = (
        "import sys, torch; from training.runs.state_file import save_state\n"
        "save_state(__import__('pathlib').Path(sys.argv[1]) / 'state.safetensors', {'a': torch.zeros(50_000_000)})"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT) as process:
        while not any(file.stat().st_size for file in tmp_path.iterdir()):
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    assert list(tmp_path.iterdir())
    (tmp_path / ".lock").touch()
    (tmp_path / "state.safetensors").touch()
    remove_leftovers(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".lock", "state.safetensors"]
