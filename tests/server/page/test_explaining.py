"""Why: a fast map first, then the asked one, without a fault that axe would find, and with the network cut."""

import json
from collections.abc import Iterator
from typing import Literal

from playwright.sync_api import Page, Request, expect

from tests.support.browser import Tab, choose_files
from tests.support.images import encoded, painted
from tests.support.servers.page_site import PageSite

FINE = encoded(painted(1, 120, 90), "PNG")


def choose(page: Page, *names: str) -> None:
    choose_files(page, dict.fromkeys(names, FINE))


def algorithms_asked(page: Page) -> Iterator[list[str]]:
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/score"):
            cell = json.loads(request.post_data or "{}")["input_data"]["data"][0]
            asked.extend([cell["xai_parameters"]["xai_algorithm"]] if "xai_parameters" in cell else [])

    page.on("request", note)
    yield asked


def test_a_fast_map_comes_before_the_asked_one(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(page_site.url)
    (asked,) = algorithms_asked(page)
    choose(page, "fine.png")
    page.get_by_role("button", name="milk_bottle").click()
    shown = page.get_by_role("img", name="heat map of milk_bottle by xrai")
    expect(shown).to_be_visible()
    assert asked == ["gradcam", "xrai"]
    assert page.evaluate("(map) => map.naturalWidth", shown.element_handle()) > 0
    page.get_by_label("Algorithm").select_option("integrated_gradients")
    expect(page.get_by_role("img", name="heat map of milk_bottle by integrated_gradients")).to_be_visible()
    page.get_by_label("Algorithm").select_option("xrai")
    expect(shown).to_be_visible()
    assert asked == ["gradcam", "xrai", "integrated_gradients"]  # what is known is not asked again


def test_a_new_question_cancels_the_old_one(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(page_site.url)
    ended: list[str] = []
    page.on("requestfailed", lambda request: ended.append(request.url))
    choose(page, "fine.png")
    for label in ("milk_bottle", "carton", "can"):
        page.get_by_role("button", name=label).first.click()
    expect(page.get_by_role("img", name="heat map of can by xrai")).to_be_visible()
    assert len(ended) >= 2 and all(url.endswith("/score") for url in ended)
    assert page.get_by_role("img", name="heat map of").count() == 1


def test_axe_finds_nothing(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(page_site.url)
    expect(page.get_by_text("resnet18")).to_be_visible()
    check_all_looks(tab)
    choose(page, "fine.png", "second.png")
    page.get_by_role("button", name="milk_bottle").click()
    expect(page.get_by_role("img", name="heat map of milk_bottle by xrai")).to_be_visible()
    page.get_by_role("button", name="Keys and help").click()
    check_all_looks(tab)
    page.get_by_label("Deployment", exact=True).first.select_option("masks")
    page.locator(".objects .row-button").first.click()
    expect(page.locator(".pane").get_by_role("img").first).to_be_visible()
    page.get_by_label("Compare with").select_option("boxes")
    expect(page.locator(".models-compared image-stage")).to_have_count(2)
    check_all_looks(tab)


def check_all_looks(tab: Tab) -> None:
    """Ask axe in light and dark, on a phone and a screen, and whether the page is as wide as the window."""
    looks: list[tuple[Literal["light", "dark"], int]] = [("light", 320), ("light", 1280), ("dark", 1280), ("dark", 320)]
    for scheme, width in looks:
        tab.page.emulate_media(color_scheme=scheme)
        tab.page.set_viewport_size({"width": width, "height": 900})
        assert tab.accessibility_violations() == [], f"{scheme}, {width} pixels"
        assert tab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{width} pixels"


def test_the_page_works_with_the_network_cut_after_the_first_load(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(page_site.url)
    choose(page, "fine.png")
    expect(page.get_by_role("button", name="milk_bottle")).to_be_visible()
    tab.expect("ERR_INTERNET_DISCONNECTED")
    loaded = set(tab.requests)
    tab.context.set_offline(True)
    page.get_by_role("button", name="Keys and help").click()
    page.get_by_role("button", name="Zoom in").first.click()
    page.get_by_text("Python", exact=True).first.click()
    with page.expect_download():
        page.get_by_role("button", name="Save this session as HTML").click()
    page.get_by_role("button", name="milk_bottle").click()
    expect(page.get_by_text("The server cannot be reached").first).to_be_visible()
    tab.context.set_offline(False)
    expect(page.get_by_role("img", name="heat map of milk_bottle by xrai")).to_be_visible()
    assert {url for url in set(tab.requests) - loaded if "/ui/" in url and not url.endswith("/state")} == set()
