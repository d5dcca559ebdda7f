"""What a run folder says of its run."""

from pathlib import Path

from training.runs.folder import RunFolder


def test_the_next_epoch_follows_the_last_evaluated_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.next_epoch() == 0
    folder.write_lines("metrics.jsonl", [{"epoch": epoch, "accuracy": 0.5} for epoch in (0, 5, 10)])
    assert folder.next_epoch() == 11
