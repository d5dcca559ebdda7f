"""What a user can set, call or meet is documented, and the documents say what the code does."""

import re
from pathlib import Path

import pytest

from explain.catalog import algorithm_names
from explain.rendering.colours import COLOUR_MAPS
from explain.request.parameter_types import visualization_names
from explain.request.parameters import ExplanationParameters
from models.architecture.catalog import architecture_names
from scripts.tables import DOCS, filled, tables
from server.errors import ERRORS, IMAGE_CODES
from settings.command import flag
from settings.model import SCHEMAS
from settings.server import ServerSettings

ROOT = DOCS.parent
PAGES = {page.name: page.read_text() for page in sorted(DOCS.glob("*.md"))}
EVERYTHING = "\n".join(PAGES.values())


@pytest.mark.parametrize("page", PAGES)
def test_generated_tables_are_current(page: str) -> None:
    assert filled(PAGES[page]) == PAGES[page], "run `make docs`"


def test_every_table_is_shown_somewhere() -> None:
    shown = set(re.findall(r"<!-- generated: (.+?) -->", EVERYTHING))
    assert shown == set(tables())


def test_every_setting_error_parameter_and_name_is_documented() -> None:
    words = [flag(name) for name in ServerSettings.model_fields]
    words += [name for schema in SCHEMAS for name in schema.model_fields]
    words += list(ERRORS)
    words += [*algorithm_names(), *ExplanationParameters.model_fields, *visualization_names(), *COLOUR_MAPS]
    words += [name for name in architecture_names() if "*" not in name]
    assert [word for word in words if f"`{word}`" not in EVERYTHING] == []


def test_image_codes_are_those_that_stand_in_details() -> None:
    assert "image_invalid" not in IMAGE_CODES
    assert {
        "base64_invalid",
        "image_empty",
        "image_too_large",
        "image_format",
        "image_unreadable",
        "image_too_complex",
        "tiles_empty",
    } == IMAGE_CODES


def test_links_lead_somewhere() -> None:
    patterns = ("*.md", "docs/**/*.md", "*/README.md", "examples/*/*.md")
    broken = [
        f"{page.relative_to(ROOT)}: {target}#{heading}"
        for pattern in patterns
        for page in ROOT.glob(pattern)
        for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)", page.read_text())
        if not (path := page.parent / target if target else page).exists()
        or (heading and heading not in anchors(path.read_text()))
    ]
    assert broken == []


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_is_numbered_once() -> None:
    numbers = [page.name[:3] for page in sorted(Path(DOCS / "decisions").glob("*.md"))]
    assert len(set(numbers)) == len(numbers), "a gap is no harm: pages are written side by side"


@pytest.mark.parametrize("page", sorted(Path(DOCS / "decisions").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_is_a_short_page_of_three_parts(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert lines[0].startswith(f"# {int(page.name[:3])}. ")
    assert re.findall(r"^\*\*(\w+)\.\*\*", page.read_text(), re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(lines) <= 15
    assert max(map(len, lines)) <= 120
