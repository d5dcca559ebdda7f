"""check: every fault is found at its line, once, and nothing else is; what is left can be trained on."""

import json
import subprocess
import sys

import pytest

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


def test_the_command_prints_a_json_object_a_fault(faulty: dict[TaskName, FaultyData]) -> None:
    done = run(faulty["detection"].file, "--most-faults", "0.05")
    assert done.returncode == 2
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {tuple(line) for line in lines} == {("line", "image", "fault", "detail", "done")}
    assert {(line["line"], line["fault"]) for line in lines} == faulty["detection"].faults
    assert "box_swapped" in done.stderr
    for options in (["--faults", "refuse"], ["--most-faults", "0.01"]):
        refused = run(faulty["detection"].file, *options)
        assert (refused.returncode, len(refused.stdout.splitlines())) == (3, 50)
