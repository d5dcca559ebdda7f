"""docs/architecture.md: its files exist, an image passes few of them, and it needs few words of its own."""

import re

from tests.support.repository import ROOT

TEXT = (ROOT / "docs/architecture.md").read_text()


def section(title: str) -> str:
    return re.split(r"^## ", TEXT.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_all_files_exist() -> None:
    named = re.findall(r"`([\w/]+/(?:\w+\.py)?)`", TEXT)
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_an_image_passes_at_most_20_files_on_its_way_in() -> None:
    way_in = section("The way of an image").partition("These files decide")[0]
    steps = re.findall(r"^(\d+)\. `([\w/]+\.py)` ", way_in, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert len({file for _, file in steps}) == len(steps) <= 20


def test_the_glossary_is_short() -> None:
    words = [line.split(" | ")[0] for line in section("Words").splitlines() if line.startswith("| ")][1:]
    assert len(words) == len(set(words)) <= 30


def test_the_layers_of_the_server_are_those_that_are_checked() -> None:
    layers = re.search(r"layers = \[([^]]*\"server\.api\"[^]]*)\]", (ROOT / "pyproject.toml").read_text())
    assert layers is not None
    checked = [name.replace("server.", "") for name in re.findall(r'"([^"]+)"', layers[1])]
    shown = re.search(r"^api -> .*$", TEXT, re.MULTILINE)
    assert shown is not None
    assert shown[0].replace(", ", " | ").split(" -> ") == checked
