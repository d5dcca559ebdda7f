"""What a run folder says of its run."""

from pathlib import Path

from training.runs.folder import RunFolder


def test_the_next_epoch_follows_the_last_evaluated_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.next_epoch() == 0
    folder.write_lines("metrics.jsonl", [{"epoch": epoch, "accuracy": 0.5} for epoch in (0, 5, 10)])
    assert folder.next_epoch() == 11


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = [tmp_path / name for name in (".run.json.4711", "last/.state.safetensors.4711", "charts/.loss.png.4711")]
    kept = [tmp_path / ".note", tmp_path / "last" / "state.safetensors"]
    (tmp_path / "last").mkdir()
    (tmp_path / "charts").mkdir()
    for file in left + kept:
        file.touch()
    with RunFolder(tmp_path).locked():
        assert not any(file.exists() for file in left)
        assert all(file.exists() for file in kept)
