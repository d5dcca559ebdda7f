"""Labels are text, whatever they hold: nothing in them runs, in the page or in what it saves."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import Tab, choose_files
from tests.support.folders.checkpoints import write_automl_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

ACT = "document.title='taken'"
LABELS = (
    f'<img src=x onerror="{ACT}">',
    f"</script><script>{ACT}</script>",
    f"javascript:{ACT}",
    f"${{{ACT}}} {{{{{ACT}}}}}",
    "\u202egnp.exe\u0000\ud7ff",
    "long " * 400,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = write_automl_folder(tmp_path_factory.mktemp("hostile"), labels=LABELS, sizes=(80, 64))
    with LiveServer("--model", folder) as running:
        yield running


def test_hostile_labels_are_shown_as_text(tab: Tab, server: LiveServer, tmp_path: Path) -> None:
    page = tab.open(f"{server.url}/ui")
    title = page.title()
    choose_files(page, {f"{LABELS[0]}.png": encoded(painted(1, 80, 80), "PNG")})
    page.get_by_role("button", name="Show all").click()
    bars = page.locator(".bar-button .label")
    expect(bars).to_have_count(len(LABELS))
    assert set(bars.all_text_contents()) == set(LABELS)
    for number in range(len(LABELS)):
        label = bars.nth(number).text_content() or ""
        bars.nth(number).click()
        map_of = page.locator("img[alt^='heat map']")
        expect(map_of).to_have_attribute("alt", re.compile(re.escape(label[:20])))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this session as HTML").click()
    download.value.save_as(tmp_path / "session.html")
    assert page.title() == title
    assert page.locator("img[src=x]").count() == 0

    tab.expect("another origin: file:")
    page.goto((tmp_path / "session.html").as_uri())
    expect(page.get_by_text("javascript:").first).to_be_attached()
    assert page.title() != "taken" and page.locator("img[src=x]").count() == 0
