"""check: every fault is found at its line, once, and nothing else is; what is left can be trained on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data.__main__ import main
from data.check import FaultPolicy, check
from data.reading import read_dataset
from data.sources.image_store import ImageStore
from models.folder.manifest import TaskName
from tests.support.faulty_data import FaultyData, write_faulty, write_images
from tests.support.repository import ROOT

TASKS: list[TaskName] = ["multiclass", "multilabel", "detection", "segmentation"]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> dict[TaskName, FaultyData]:
    folder = tmp_path_factory.mktemp("faulty")
    write_images(folder)
    return {task: write_faulty(folder, task) for task in TASKS}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "data", "check", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("task", TASKS)
def test_all_faults_are_found_by_line_and_no_others(task: TaskName, faulty: dict[TaskName, FaultyData]) -> None:
    data = faulty[task]
    dataset = read_dataset(data.file)
    assert dataset.task == task
    checked = check(dataset, ImageStore(dataset.folder), FaultPolicy())
    found = {(fault.line, fault.fault) for fault in checked.faults}
    assert found - data.faults == set()
    assert data.faults - found == set()
    assert len(checked.faults) == len(data.faults) == 50
    dropped = {fault.line for fault in checked.faults if fault.done == "image dropped"}
    replaced = {fault.done for fault in checked.faults if fault.fault == "line_twice"}
    assert len(checked.images) == 1000 - len(dropped) - sum(fault == "line_twice" for _, fault in data.faults)
    assert replaced == ({"merged with line 1"} if task in ("detection", "segmentation") else replaced)


def test_twenty_kinds_are_known(faulty: dict[TaskName, FaultyData]) -> None:
    assert len(set.union(*(data.kinds for data in faulty.values()))) >= 20


def test_the_command_prints_a_json_object_a_fault(
    faulty: dict[TaskName, FaultyData], capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(faulty["detection"].file, "--most-faults", "0.05")
    assert done.returncode == 2
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {tuple(line) for line in lines} == {("line", "image", "fault", "detail", "done")}
    assert {(line["line"], line["fault"]) for line in lines} == faulty["detection"].faults
    assert "box_swapped" in done.stderr
    for options in (["--faults", "refuse"], ["--most-faults", "0.01"]):
        assert main(["check", str(faulty["detection"].file), *options]) == 3
        assert len(capsys.readouterr().out.splitlines()) == 50


def test_a_clean_file_exits_with_0_and_prints_nothing(
    faulty: dict[TaskName, FaultyData], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = faulty["detection"].file.parent
    lines = faulty["detection"].file.read_text().splitlines()
    broken = {line for line, _ in faulty["detection"].faults}
    (folder / "clean.jsonl").write_text(
        "\n".join(lines[number - 1] for number in range(1, 100) if number not in broken)
    )
    (folder / "valid.jsonl").write_text(
        "\n".join(lines[number - 1] for number in range(199, 240) if number not in broken)
    )
    done = run(folder / "clean.jsonl", "--faults", "refuse", "--validation", folder / "valid.jsonl")
    assert (done.returncode, done.stdout) == (0, "")
    (folder / "leaking.jsonl").write_text("\n".join([lines[1], lines[0], lines[200]]))
    assert main(["check", str(folder / "clean.jsonl"), "--validation", str(folder / "leaking.jsonl")]) == 2
    faults = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(fault["line"], fault["fault"], fault["done"]) for fault in faults] == [
        (1, "split_leak", "image dropped"),
        (2, "split_leak", "image dropped"),
    ]


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (None, [], "does not exist"),
        (b"", [], "error: "),
        (b"\xff\xfe\x00", [], "error: "),
        (b'{"image_url": "a.jpg", "label": "can"}', [], "has no image that can be used"),
        (b'{"image_url": "a.jpg", "label": "can"}', ["--task", "detection"], "has no image that can be used"),
        (b'{"image_url": "a.jpg", "label": "can"}', ["--root", "nowhere"], "--root nowhere is no folder"),
        (b'{"image_url": "a.jpg", "label": "can"}', ["--rename", "nowhere.json"], "nowhere.json: No such file"),
        (b'{"image_url": "a.jpg", "label": "can"}', ["--most-faults", "5%"], "no number from 0 to 1"),
    ],
)
def test_what_cannot_be_checked_is_told_in_a_sentence(
    content: bytes | None, options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "set.jsonl"
    if content is not None:
        file.write_bytes(content)
    try:
        code = main(["check", str(file), *options])
    except SystemExit as error:
        code = int(str(error.code))
    assert code == 3
    assert sentence in capsys.readouterr().err


def test_options_name_datastores_labels_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(tmp_path / "store", 30)
    write_images(tmp_path / "other", 31)
    (tmp_path / "other/images/31.png").rename(tmp_path / "other/31.png")
    records = [
        {"image_url": f"azureml://datastores/D/paths/images/{number}.png", "label": "Can" if number % 2 else "can"}
        for number in range(1, 31)
    ]
    records.append({"image_url": "31.png", "label": "can"})
    (tmp_path / "set").mkdir()
    (tmp_path / "set/set.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "roots.yml").write_text("D: store\n")
    (tmp_path / "names.json").write_text('{"Can": "can"}')
    given = ["check", str(tmp_path / "set/set.jsonl"), "--root", str(tmp_path / "other")]
    renamed = [*given, "--rename", str(tmp_path / "names.json")]
    assert main([*renamed, "--roots", str(tmp_path / "roots.yml")]) == 0
    assert "Images: 30 in the datastore D, 1 in " in capsys.readouterr().err
    assert main([*given, "--root", f"D={tmp_path / 'store'}"]) == 2
    assert capsys.readouterr().out.count("label_alike") == 15
    (tmp_path / "roots.yml").write_text("- store\n")
    assert main([*renamed, "--roots", str(tmp_path / "roots.yml")]) == 3
    assert "expected the root of each datastore" in capsys.readouterr().err
