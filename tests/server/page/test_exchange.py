"""What leaves the page: requests as code that runs, links, sessions and tables."""

import base64
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.proxies.refusals import SCORING_KEY
from tests.support import http
from tests.support.browser import Tab, choose_files
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer
from tests.support.servers.page_site import PageSite

# what shells, Python, HTML and spreadsheets read in names
NAME = "=can 'n' \"$HOME\" `id` \\ \n <b>ü.png"
PHOTOGRAPH = encoded(Image.fromarray(painted(5, 60, 40)), "PNG")
PERMISSIONS = ["clipboard-read", "clipboard-write"]


@pytest.fixture(scope="module")
def page(browser: Browser, page_site: PageSite) -> Iterator[Page]:
    """The page with an image scored by the classifier, a map of its first label, and a file that is refused."""
    with Tab(browser, permissions=PERMISSIONS) as tab:
        page = tab.open(f"{page_site.url}#deployment=labels&algorithm=gradcam")
        choose(page, NAME)
        page.locator(".scores .bar-button").first.click()
        expect(page.locator("img[alt^='heat map' i]").first).to_be_visible()
        yield page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / NAME).write_bytes(PHOTOGRAPH)
    return tmp_path


def choose(page: Page, *names: str, data: bytes = PHOTOGRAPH) -> None:
    choose_files(page, dict.fromkeys(names, data))


def copied(page: Page, part: Locator, button: str) -> str:
    """Press a button within a part that is folded, and return what is in the clipboard then."""
    if part.get_attribute("open") is None:
        part.locator("summary").first.press("Enter")
    page.evaluate("navigator.clipboard.writeText('')")
    part.get_by_role("button", name=button, exact=True).click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def code(page: Page, request: str, language: str) -> str:
    fold = page.get_by_role("group", name=request, exact=True).locator("details", has_text=f"Copy {language}")
    text = copied(page, fold, f"Copy {language}")
    assert fold.locator("pre").inner_text() == text.rstrip("\n") or fold.locator("pre").inner_text() == text
    return text


def replies(page: Page, request: str, folder: Path, **environment: str) -> list[Any]:
    """Run a request's code as whoever pastes it into a shell, or saves it as a program; the replies about the image."""
    (folder / "ask.py").write_text(code(page, request, "Python"))
    commands = (["sh", "-c", code(page, request, "curl")], [sys.executable, "ask.py"])
    found = []
    for command in commands:
        done = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        reply = json.loads(done.stdout)
        found.append(reply[0] if isinstance(reply, list) else reply)
    return found


def shown_reply(page: Page) -> Any:
    return json.loads(copied(page, page.locator(".reply > details").first, "Copy the reply"))


def test_the_code_of_scores_runs_and_gives_the_reply_that_is_shown(page: Page, folder: Path) -> None:
    expected = shown_reply(page)
    for reply in replies(page, "Scores by labels", folder):
        assert reply["labels"] == expected["labels"]
        assert reply["probs"] == pytest.approx(expected["probs"], abs=1e-5)


def test_the_code_of_a_map_runs(page: Page, folder: Path) -> None:
    (title,) = page.locator(".code [role=group]:not(pre)").evaluate_all(
        "(groups) => groups.map((group) => group.ariaLabel).filter((title) => title.startsWith('Map of'))"
    )
    for reply in replies(page, title, folder):
        (explanation,) = reply["explanations"]
        assert title == f"Map of {explanation['label']} by {explanation['xai_algorithm']}"


def test_the_json_with_the_image_is_a_whole_request(page: Page, page_site: PageSite) -> None:
    fold = page.get_by_role("group", name="Scores by labels", exact=True).locator("details", has_text="Copy JSON")
    body = copied(page, fold, "Copy with the image")
    assert json.loads(body)["input_data"]["data"][0]["image_base64"] == base64.b64encode(PHOTOGRAPH).decode()
    headers = {"content-type": "application/json"}
    reply = http.post(f"{page_site.server.url}/score", content=body, headers=headers).json()
    assert reply[0]["labels"] == shown_reply(page)["labels"]


def test_a_reply_is_folded_and_unfolded_with_the_keyboard(page: Page) -> None:
    part = page.locator(".reply > details").first
    if part.get_attribute("open") is None:
        part.locator("summary").first.press("Enter")
    labels = part.locator("json-tree details").filter(has_text="labels").last
    leaves = labels.locator(".leaf")
    expect(leaves.first).to_be_visible()
    labels.locator("summary").press("Enter")
    expect(leaves.first).to_be_hidden()
    labels.locator("summary").press("Enter")
    expect(leaves.first).to_be_visible()


def test_a_session_opens_offline_and_without_scripts(page: Page, browser: Browser, tmp_path: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this session").click()
    path = tmp_path / "session.html"
    download.value.save_as(path)
    with Tab(browser, java_script_enabled=False, offline=True) as tab:
        session = tab.open(path.as_uri())
        assert session.get_by_role("heading", name="<b>ü.png").count() == 1
        assert session.locator("script, b, iframe, link").count() == 0
        assert session.locator("img").count() == 3  # the image, a small one below the map, and the map
        expect(session.get_by_role("img", name="heat map of").first).to_be_visible()
        assert session.get_by_role("row").count() > 1
        assert tab.requests == [path.as_uri()]


def test_the_table_of_scores_is_csv_without_formulas(page: Page) -> None:
    expected = shown_reply(page)
    choose(page, "drawing.png", data=b"<svg onload='alert(1)'/>")
    expect(page.locator(".strip li")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the scores").click()
    text = Path(download.value.path()).read_bytes().decode()
    rows = list(csv.DictReader(StringIO(text, newline=""), strict=True))
    scored = [row for row in rows if row["deployment"] == "labels"]
    assert {row["image"] for row in scored} == {f"'{NAME}"}
    assert {row["label"]: float(row["score"]) for row in scored} == dict(
        zip(expected["labels"], expected["probs"], strict=True)
    )
    assert [int(row["rank"]) for row in scored] == [*range(1, 1 + len(expected["labels"]))]
    (refused,) = [row for row in rows if row not in scored]
    assert (refused["image"], refused["error"][:23]) == ("drawing.png", "This is an SVG drawing.")
    page.locator(".strip .current .remove").click()


def test_a_link_restores_choices_and_never_the_image(page: Page) -> None:
    page.wait_for_function("location.hash.includes('gradcam')")
    assert page.evaluate("location.hash") == "#deployment=labels&algorithm=gradcam"
    page.evaluate("() => { location.hash = 'deployment=labels&search=no+such&opacity=7&images=x&__proto__=1'; }")
    expect(page.get_by_text("No label matches.")).to_be_visible()
    page.evaluate("() => { location.hash = 'deployment=labels&search='; }")
    expect(page.get_by_text("No label matches.")).to_have_count(0)


def test_a_key_is_never_written_and_the_code_says_where_it_goes(
    browser: Browser, keyed_page: LiveServer, folder: Path
) -> None:
    with Tab(browser, permissions=PERMISSIONS) as tab:
        tab.expect("401")
        page = tab.open(f"{keyed_page.url}/ui")
        page.locator("input[type=password]").fill(SCORING_KEY)
        page.keyboard.press("Enter")
        choose(page, NAME)
        expect(page.locator(".strip li")).to_contain_text("scored")
        title = page.locator(".code [role=group]").first.get_attribute("aria-label")
        assert title is not None
        assert replies(page, title, folder, KEY=SCORING_KEY) == [{}, {}]
        assert "$KEY" in code(page, title, "curl")
        assert SCORING_KEY not in page.content()
