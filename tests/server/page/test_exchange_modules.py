"""Parts of what leaves the page, each on its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import Tab
from tests.support.page_modules import open_modules


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with Tab(browser) as tab:
        yield open_modules(tab)


def test_a_link_is_read_without_what_is_unknown_in_it(page: Page) -> None:
    read = "async (fragment) => (await import('/exchange/link.js')).readLink(fragment)"
    known = {"deployment": "a b&c", "threshold": 0.5, "sign": "signed", "opacity": 1, "compare": "swipe"}
    fragment = "#deployment=a+b%26c&threshold=0.5&sign=signed&opacity=1&compare=swipe&allLabels=true&search=%3Cb%3E"
    fragment += "&hiddenLabels=a%2Cb&hiddenLabels=can"
    lists = {"hiddenLabels": ["a,b", "can"]}
    assert page.evaluate(read, fragment) == {**known, **lists, "allLabels": True, "search": "<b>"}
    assert page.evaluate(read, "#opacity=7&threshold=&threshold=x&sign=odd&allLabels=1&__proto__=1&image=x&%&=") == {}


def test_choices_come_back_from_the_address(page: Page) -> None:
    choices = {"deployment": "fridge", "threshold": 0.25, "algorithm": "xrai", "search": "ü & ö", "allLabels": True}
    choices["hiddenLabels"] = ["can, empty", "ü"]
    page.evaluate(
        """async (choices) => {
            const { writeLink } = await import("/exchange/link.js");
            const { INITIAL } = await import("/store.js");
            writeLink({ ...INITIAL.choices, ...choices });
        }""",
        choices,
    )
    page.wait_for_function("location.hash.includes('fridge')")
    assert page.evaluate("async () => (await import('/exchange/link.js')).readLink()") == choices


def test_long_parts_of_a_reply_are_built_when_they_are_unfolded(page: Page) -> None:
    page.evaluate("import('/exchange/json_tree.js')")
    tree = page.evaluate_handle("""() => {
        const value = { text: "A".repeat(5000), rows: Array.from({ length: 25000 }, (_, row) => [row, { row }]) };
        return document.body.appendChild(Object.assign(document.createElement("json-tree"), { value }));
    }""").as_element()
    assert tree is not None
    assert "(5,000 letters)" in tree.inner_text()
    assert page.evaluate("(tree) => tree.querySelectorAll('*').length", tree) < 50
    for words in ("rows: [25000]", "20000 to 24999"):
        summary = tree.wait_for_selector(f"summary:text('{words}')")
        assert summary is not None
        summary.click()
    tree.wait_for_selector("summary:text('20000 to 20099')")
    assert page.evaluate("(tree) => tree.querySelectorAll('*').length", tree) < 200
    page.evaluate("(tree) => tree.remove()", tree)


def test_boxes_are_in_the_table_and_drawn_in_the_session(page: Page) -> None:
    found = page.evaluate("""async () => {
            const { scoreTable } = await import("/exchange/score_table.js");
            const { sessionPage } = await import("/exchange/session_page.js");
            const box = { topX: 0, topY: 0.25, bottomX: 1, bottomY: 0.5 };
            const prediction = { kind: "objects", objects: [{ index: 0, label: "@can", score: 0.5, box }] };
            const answers = { boxes: { deployment: "boxes", version: 3, prediction } };
            const image = { name: "x", width: 4, height: 3, orientation: 1, notes: [], smallOf: {}, answers };
            const state = { server: {}, catalog: null, choices: {}, panes: [], images: [image] };
            const session = String(sessionPage(state, { time: new Date(), address: "http://x" }));
            return [scoreTable(state), session];
    }""")
    assert found[0].splitlines()[1] == "x,4,3,boxes,3,1,'@can,0.5,0,0.25,1,0.5,"
    assert '<path d="M0 0.25 1 0.25 1 0.5 0 0.5Z"/>' in found[1]
