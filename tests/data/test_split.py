"""split: an image's side follows from its bytes, so that nothing moves; twins and groups stay together."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from data.__main__ import main
from data.dataset import CheckedImage
from data.record import LabelledImage
from data.split import parted, split
from tests.support.faulty_data import LABELS, clean_record, write_images
from tests.support.repository import ROOT

COUNT = 240


def image(number: int, *labels: str, sha256: str = "") -> CheckedImage:
    url = f"{number}.jpg"
    return CheckedImage(LabelledImage(url, number, labels or (LABELS[number % 4],)), Path(url), (9, 9), sha256 or url)


def lines(images: Sequence[CheckedImage]) -> set[int]:
    return {each.image.line for each in images}


IMAGES = [image(number) for number in range(1000)]


def test_shares_are_close_to_what_is_wanted_for_every_label() -> None:
    training, validation = split(IMAGES, 0.2)
    assert len(training) + len(validation) == 1000
    assert 0.17 < len(validation) / 1000 < 0.23
    for label in LABELS:
        held = sum(label in each.image.labels for each in validation)
        assert 0.12 < held / 250 < 0.28


def test_neither_order_nor_further_images_move_any() -> None:
    shuffled = random.Random(1).sample(IMAGES, 1000)
    more = [image(number) for number in range(1000, 1400)]
    _, validation = split(IMAGES)
    assert lines(split(shuffled)[1]) == lines(validation)
    assert lines(split([*more, *IMAGES])[1]) & set(range(1000)) == lines(validation)
    assert lines(split(IMAGES[:400])[1]) == lines(validation) & set(range(400))
    assert [each.image.line for each in validation] == sorted(lines(validation))


def test_the_cut_is_the_same_on_every_machine() -> None:
    assert sorted(lines(split(IMAGES[:40])[1])) == [4, 8, 9, 11, 12, 14, 23, 24, 27, 33]


def test_a_seed_is_another_cut_and_a_test_part_takes_from_training_alone() -> None:
    training, validation = split(IMAGES)
    assert lines(split(IMAGES, seed=1)[1]) != lines(validation)
    left, same, held = parted(IMAGES, [0.2, 0.1])
    assert (lines(same), lines(left) | lines(held)) == (lines(validation), lines(training))
    assert 70 < len(held) < 130


def test_twins_and_groups_stay_together() -> None:
    twins = [image(number, sha256=f"pixels {number % 100}") for number in range(300)]
    for training, validation in (split(twins), split(twins, group=lambda each: str(each.image.line % 25))):
        assert {each.sha256 for each in training} & {each.sha256 for each in validation} == set()
        assert min(len(training), len(validation)) > 20
    assert {line % 25 for line in lines(training)} & {line % 25 for line in lines(validation)} == set()
    looked_at = [replace(each, pixels=f"pixels {each.image.line % 500}") for each in IMAGES]
    training, validation = split(looked_at)
    assert {line % 500 for line in lines(training)} & {line % 500 for line in lines(validation)} == set()
    assert lines(split([replace(each, pixels=each.sha256) for each in IMAGES])[1]) == lines(split(IMAGES)[1])
    # groups that share an image stay together too, whatever side each of them would be on
    chained = [image(number, sha256=f"pixels {(number + 1) // 2}") for number in range(100)]
    training, validation = split(chained, group=lambda each: str(each.image.line // 2))
    assert [len(training), len(validation)] == [100, 0]
    training, validation = split(
        IMAGES, group=lambda each: str(each.image.line // 7) if each.image.line < 700 else None
    )
    assert {line // 7 for line in lines(training) if line < 700} & {line // 7 for line in lines(validation)} == set()


def test_a_label_with_two_images_is_trained_on_and_something_is_held_back() -> None:
    _, held = split(IMAGES)
    first, second, third = sorted(lines(held))[:3]
    rare = [image(number, "rare") if number in (first, second) else image(number) for number in range(1000)]
    single = [image(number, "single") if number == third else image(number) for number in range(1000)]
    training, validation = split(rare)
    assert len(lines(validation) & {first, second}) == 1
    assert lines(held) - lines(validation) == lines(training) & {first, second}
    assert lines(split(single)[1]) == lines(held), "one image alone is where it belongs"
    for count in range(2, 12):
        for start in range(0, 60, 12):
            parts = split(IMAGES[start : start + count])
            assert min(map(len, parts)) > 0
    assert [len(part) for part in split(IMAGES[:1])] == [1, 0]
    assert [len(part) for part in split([])] == [0, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, and all.jsonl about them; some lines have a key of their own."""
    made = tmp_path_factory.mktemp("split")
    write_images(made, COUNT)
    records = [clean_record(number, "detection") | {"site": f"{number // 5}"} for number in range(1, COUNT + 1)]
    (made / "all.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return made


@dataclass(frozen=True)
class Run:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Run `data split` within this process, which saves its start."""

    def in_process(*arguments: object) -> Run:
        code = main(["split", *map(str, arguments)])
        return Run(code, *capsys.readouterr())

    return in_process


def written(folder: Path, name: str) -> dict[Path, dict[str, object]]:
    records = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return {(folder / record["image_url"]).resolve(): record for record in records}


def test_the_command_writes_files_whose_urls_lead_to_the_same_images(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "data", "split", str(folder / "all.jsonl"), "--out", str(tmp_path / "new/place")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "images  " in done.stderr and "can  " in done.stderr
    training, validation = (written(tmp_path / "new/place", name) for name in ("train", "valid"))
    assert training.keys().isdisjoint(validation)
    assert training.keys() | validation.keys() == set((folder / "images").resolve().iterdir())
    assert 0.1 < len(validation) / COUNT < 0.3
    for file, record in (training | validation).items():
        original = clean_record(int(file.stem), "detection")
        assert record == original | {"image_url": record["image_url"], "site": f"{int(file.stem) // 5}"}


def test_the_command_moves_no_image(run: Callable[..., Run], folder: Path, tmp_path: Path) -> None:
    every = (folder / "all.jsonl").read_text().splitlines()
    shutil.copytree(folder / "images", tmp_path / "images")
    (tmp_path / "all.jsonl").write_text("\n".join(random.Random(2).sample(every[:150], 150)))
    assert run(tmp_path / "all.jsonl", "--out", tmp_path / "few").returncode == 0
    assert run(folder / "all.jsonl", "--out", tmp_path / "many", "--test", "0.1").returncode == 0
    few = {file.name for file in written(tmp_path / "few", "valid")}
    many = {file.name for file in written(tmp_path / "many", "valid")}
    assert few == {name for name in many if int(name.partition(".")[0]) <= 150}
    assert written(tmp_path / "many", "test")


def test_a_key_groups_lines(run: Callable[..., Run], folder: Path, tmp_path: Path) -> None:
    assert run(folder / "all.jsonl", "--out", tmp_path, "--group", "site").returncode == 0
    sites = [{record["site"] for record in written(tmp_path, name).values()} for name in ("train", "valid")]
    assert sites[0].isdisjoint(sites[1])
    refused = run(folder / "all.jsonl", "--out", tmp_path, "--group", "sight")
    assert (refused.returncode, "has the key 'sight'" in refused.stderr) == (3, True)


def test_what_cannot_be_done_leaves_nothing_behind(run: Callable[..., Run], folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "all.jsonl", tmp_path / "train.jsonl")
    before = (tmp_path / "train.jsonl").read_bytes()
    own = run(tmp_path / "train.jsonl", "--root", folder, "--out", tmp_path)
    assert (own.returncode, "would be replaced" in own.stderr) == (3, True)
    shares = run(folder / "all.jsonl", "--out", tmp_path, "--share", "0.5", "--test", "0.5")
    assert (shares.returncode, "--share is 0.5" in shares.stderr) == (3, True)
    (tmp_path / "file").write_text("")
    assert run(folder / "all.jsonl", "--out", tmp_path / "file" / "below").returncode == 3
    assert {file.name for file in tmp_path.iterdir()} == {"train.jsonl", "file"}
    assert (tmp_path / "train.jsonl").read_bytes() == before
