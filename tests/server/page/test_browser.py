"""The page in a real browser: it loads, asks nobody else, and the tabs of these tests notice what they are for."""

import time

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Tab, choose_files
from tests.support.images import encoded, painted
from tests.support.servers.page_site import PageSite

FOREIGN = "https://elsewhere.example/a.js"


def test_the_page_loads_without_a_word_and_asks_nobody_else(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(page_site.url)
    expect(page.locator("input[type=file]").first).to_be_attached()
    assert page.title() == "Sightglass"


def test_an_image_is_scored(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(page_site.url)
    choose_files(page, {"an image.jpg": encoded(painted(1, 120, 90), "JPEG")})
    expect(page.get_by_role("button", name="milk_bottle").first).to_be_visible()


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.log('a word')", "console log: a word"),
        ("setTimeout(() => { throw new Error('a slip'); })", "uncaught: a slip"),
        ("document.body.setAttribute('style', 'color: red')", "policy violated: style-src-attr inline"),
        (
            "document.body.setAttribute('onclick', 'alert(1)'); document.body.click()",
            "policy violated: script-src-attr inline",
        ),
        (f"import('{FOREIGN}').catch(() => 0)", f"policy violated: script-src-elem {FOREIGN}"),
        ("fetch('ui/none')", "console error: Failed to load resource: the server responded with a status of 404"),
    ],
    ids=["console", "error", "style", "handler", "script of another origin", "missing file"],
)
def test_a_tab_notices_what_a_page_must_not_do(browser: Browser, page_site: PageSite, script: str, fault: str) -> None:
    assert fault in faults_of(browser, page_site.url, script, fault)


def test_a_tab_notices_another_origin_where_no_policy_forbids_it(browser: Browser, page_site: PageSite) -> None:
    script = f"fetch('{FOREIGN}').catch(() => 0)"
    fault = f"another origin: {FOREIGN}"
    assert fault in faults_of(browser, f"{page_site.server.url}/health/live", script, fault)


def faults_of(browser: Browser, url: str, script: str, awaited: str) -> str:
    """Run a script in a page, and return the message that its tab fails with."""
    with pytest.raises(AssertionError) as caught, Tab(browser) as tab:
        tab.open(url).evaluate(f"() => {{ {script} }}")
        end = time.monotonic() + 20
        while not any(awaited in each for each in tab.faults) and time.monotonic() < end:
            tab.page.wait_for_timeout(20)
    return str(caught.value)


def test_axe_works_under_the_policy_and_finds_what_is_wrong(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(page_site.url)
    expect(page.locator("input[type=file]").first).to_be_attached()
    page.evaluate("document.body.append(document.createElement('button'))")
    assert any(each.startswith("button-name: <button></button>") for each in tab.accessibility_violations())
