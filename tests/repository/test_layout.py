"""The house keeps its order: one constant a catalog file, named like the file, and nothing where it does not belong."""

import ast
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.failures import families
from benchmarks.failures.scenario import FailureFamily
from data import commands as data_commands
from data import formats
from data.command import Command
from data.format import Format
from explain import algorithms
from explain import commands as explain_commands
from explain.algorithm import Algorithm
from models import architectures, tasks
from models.architecture.architecture import Family
from models.discovery import constants
from models.task import Task
from server import protocols
from server.protocol import Protocol
from tests.support.repository import ROOT
from training import commands as training_commands
from training import recipes
from training.recipe import RecipeFamily

PACKAGES = ("settings", "models", "explain", "server", "data", "training")
SOURCES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
# Programs for environments of their own, and a client that users copy
APART = ("benchmarks/peers/apps", "examples/clients")
BESIDE = [
    file
    for package in ("examples", "benchmarks")
    for file in sorted((ROOT / package).rglob("*.py"))
    # Environments of other servers may lie below a hidden folder
    if not any(part.startswith(".") for part in file.relative_to(ROOT).parts)
    and not any(file.is_relative_to(ROOT / folder) for folder in APART)
]
HARD_STOP = 400
MOST_FILES = 15


@pytest.mark.parametrize(
    ("package", "constant", "kind"),
    [
        (architectures, "FAMILY", Family),
        (tasks, "TASK", Task),
        (protocols, "PROTOCOL", Protocol),
        (algorithms, "ALGORITHM", Algorithm),
        (families, "FAMILY", FailureFamily),
        (formats, "FORMAT", Format),
        (recipes, "RECIPE", RecipeFamily),
        (data_commands, "COMMAND", Command),
        (training_commands, "COMMAND", Command),
    ],
    ids=[
        *("architectures", "tasks", "protocols", "algorithms", "failures", "formats"),
        *("recipes", "data commands", "training commands"),
    ],
)
def test_every_catalog_file_holds_its_constant(package: object, constant: str, kind: type) -> None:
    found = dict(constants(package, constant))  # type: ignore[arg-type]
    assert len(found) >= 2
    assert all(isinstance(value, kind) for value in found.values())


def test_names_equal_file_names() -> None:
    found = [
        *constants(tasks, "TASK"),
        *constants(protocols, "PROTOCOL"),
        *constants(algorithms, "ALGORITHM"),
        *constants(data_commands, "COMMAND"),
        *constants(training_commands, "COMMAND"),
        *constants(explain_commands, "COMMAND"),
    ]
    assert [value.name for _, value in found] == [stem for stem, _ in found]


def test_no_two_families_claim_a_name() -> None:
    names = [name for _, family in constants(architectures, "FAMILY") for name in family.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_stay_readable(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= HARD_STOP
    assert ast.get_docstring(ast.parse(text)), "a file says what it is"
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)


def test_folders_stay_small() -> None:
    folders = Counter(file.parent for file in [*SOURCES, *BESIDE] if file.name != "__init__.py")
    assert {str(folder.relative_to(ROOT)): count for folder, count in folders.items() if count > MOST_FILES} == {}


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for file in [*SOURCES, *BESIDE]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(str(file.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_is_a_drawer_for_leftovers() -> None:
    assert not {file.stem for file in SOURCES} & {"utils", "util", "helpers", "common", "misc"}


def test_the_process_of_a_script_imports_nothing_that_a_script_might_miss() -> None:
    imported = set()
    for file in (ROOT / "server" / "scripts" / "runner").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module))
    others = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    ours = {"server.ipc.raw_http", "server.ipc.frame"}
    assert {name for name in others if not name.startswith("server.scripts.runner.")} == ours


def test_weights_are_never_unpickled_freely() -> None:
    loads = [
        call
        for file in SOURCES
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("torch.load", "pickle.load", "pickle.loads")
    ]
    assert [ast.unparse(call.func) for call in loads] == ["torch.load"]
    (options,) = [{word.arg: ast.unparse(word.value) for word in call.keywords} for call in loads]
    assert options["weights_only"] == "True"
