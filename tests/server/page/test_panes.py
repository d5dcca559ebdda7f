"""Explanations on the page: maps that lie on the image, panes beside each other, the swipe line, models compared."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support.boxes_on_page import box, rectangle
from tests.support.browser import Tab, choose_files
from tests.support.images import encoded, painted
from tests.support.page_modules import open_modules
from tests.support.servers.page_site import PageSite

SIDES = (121, 83)  # odd, and wider than the crop that the network sees


@pytest.fixture(scope="module")
def shown(browser: Browser, page_site: PageSite) -> Iterator[Page]:
    """The page with the scores of an image, and no pane."""
    with Tab(browser) as tab:
        yield scored(tab, page_site)


@pytest.fixture
def page(shown: Page) -> Iterator[Page]:
    yield shown
    for _ in range(panes(shown).count()):
        panes(shown).first.get_by_role("button", name="Close").click()
    expect(panes(shown)).to_have_count(0)


def scored(tab: Tab, site: PageSite, orientation: int = 1) -> Page:
    exif = Image.Exif()
    exif[0x0112] = orientation
    page = tab.open(site.url)
    choose_files(page, {"photo.jpg": encoded(painted(4, *SIDES), "JPEG", exif=exif)})
    expect(page.locator(".scores li").first).to_be_visible()
    return page


def panes(page: Page) -> Locator:
    return page.locator(".pane")


def explain(page: Page, place: int = 0, *modifiers: Any) -> str:
    """Press a label; returns it."""
    button = page.locator(".scores li button").nth(place)
    button.click(modifiers=list(modifiers))
    return button.locator(".label").inner_text()


def test_a_label_shows_its_map_exactly_over_the_image(page: Page) -> None:
    label = explain(page)
    heat = page.get_by_role("img", name=f"heat map of {label} by xrai")
    expect(heat).to_be_visible()
    assert heat.evaluate("(e) => [e.naturalWidth, e.naturalHeight]") == list(SIDES)
    assert rectangle(heat) == pytest.approx(rectangle(page.locator(".pane img.stored")), abs=0.01)
    expect(panes(page).locator(".measures")).to_contain_text("Time")
    expect(panes(page).locator(".measures")).to_contain_text("Passes through the network")


def test_a_map_of_a_turned_photograph_lies_as_the_model_saw_it(tab: Tab, page_site: PageSite) -> None:
    page = scored(tab, page_site, orientation=6)
    explain(page)
    heat = page.get_by_role("img", name="heat map of")
    expect(heat).to_be_visible()
    assert heat.evaluate("(e) => e.naturalWidth / e.naturalHeight") == pytest.approx(SIDES[0] / SIDES[1])
    for name in (".pane image-stage", ".viewer image-stage"):
        _, _, width, height = rectangle(page.locator(name))
        assert width / height == pytest.approx(SIDES[0] / SIDES[1], rel=0.01)


def test_panes_stand_beside_each_other_and_share_zoom_and_opacity(page: Page) -> None:
    explain(page, 0)
    explain(page, 1, "Shift")
    expect(panes(page)).to_have_count(2)
    page.get_by_role("button", name="Add a pane").click()
    page.get_by_role("button", name="Add a pane").click()
    expect(panes(page)).to_have_count(4)
    expect(page.get_by_role("button", name="Add a pane")).to_have_count(0)
    maps = page.locator(".pane img.heat")
    expect(maps).to_have_count(4)
    page.get_by_role("slider", name="Opacity").fill("25")
    assert maps.evaluate_all("(all) => all.map((e) => getComputedStyle(e).opacity)") == ["0.25"] * 4
    page.get_by_role("button", name="Zoom in").click()
    for stage in page.locator("image-stage").all():
        inside = stage.locator("img").first
        assert rectangle(inside)[2] == pytest.approx(1.25 * rectangle(stage)[2], rel=0.001)
    page.get_by_role("button", name="Fit").click()
    panes(page).nth(1).get_by_role("button", name="Close").click()
    expect(panes(page)).to_have_count(3)


def test_a_pane_asks_another_algorithm_and_another_label(page: Page) -> None:
    explain(page)
    pane = panes(page)
    pane.get_by_label("Algorithm").select_option("gradcam")
    expect(pane.get_by_role("img", name="by gradcam")).to_be_visible()
    other = page.locator(".scores li .label").nth(2).inner_text()
    pane.get_by_label("Why").select_option(index=2)
    expect(pane.get_by_role("img", name=f"heat map of {other} by gradcam")).to_be_visible()
    expect(pane.get_by_role("heading")).to_contain_text(other)


def test_colours_and_sign_are_asked_for_and_explained(page: Page) -> None:
    explain(page)
    expect(page.locator(".pane img.heat")).to_be_visible()
    with page.expect_request("**/score") as asked:
        page.get_by_label("Maps show").select_option("signed")
    expect(page.locator(".colour-scale")).to_contain_text("speaks against it")
    row = json.loads(asked.value.post_data or "")["input_data"]["data"][0]
    assert (row["xai_parameters"]["sign"], row["xai_parameters"]["colour_map"]) == ("signed", "bwy")
    page.get_by_label("Maps show").select_option("positive")
    expect(page.locator(".colour-scale")).not_to_contain_text("against")
    assert page.get_by_label("Colours").input_value() == "bgyw"


def test_the_swipe_line_moves_by_keys_and_by_a_pointer(page: Page) -> None:
    explain(page)
    page.get_by_role("button", name="Swipe line").click()
    stage, clipped = page.locator(".swipe image-stage"), page.locator(".swipe .clipped")
    expect(page.locator(".swipe img.heat")).to_be_visible()

    def share() -> float:
        left, _, width, _ = rectangle(stage)
        line = rectangle(page.locator(".swipe-line"))
        found = (line[0] + line[2] / 2 - left) / width
        clip = clipped.evaluate("(e) => getComputedStyle(e).getPropertyValue('--swipe')")
        assert float(clip) == pytest.approx(found, abs=0.01)
        return found

    slider = page.get_by_role("slider", name="Line", exact=True)
    slider.press("ArrowRight")
    assert share() == pytest.approx(0.51, abs=0.001)
    page.locator(".swipe-line").scroll_into_view_if_needed()
    left, top, width, height = rectangle(stage)
    page.mouse.move(left + 0.51 * width, top + height / 4)
    page.mouse.down()
    page.mouse.move(left + 0.2 * width, top + height / 4, steps=3)
    page.mouse.up()
    assert share() == pytest.approx(0.2, abs=0.01)
    expect(slider).to_have_value("20")
    page.get_by_role("combobox", name="Left").select_option(index=1)
    expect(page.locator(".swipe img.heat")).to_have_count(2)
    page.get_by_role("button", name="Swipe line").click()
    expect(page.locator(".swipe")).to_have_count(0)


def test_an_error_stands_in_its_pane_and_can_be_asked_again(tab: Tab, page_site: PageSite) -> None:
    page = scored(tab, page_site)
    error = {"code": "deadline_exceeded", "message": "It cannot end in time.", "request_id": "of a test"}
    tab.expect("504")

    def refuse(route: Route) -> None:
        route.fulfill(status=504, json=error)

    page.route("**/score", refuse)
    explain(page)
    expect(panes(page).locator(".problem")).to_contain_text("It cannot end in time.")
    page.unroute("**/score")
    panes(page).get_by_role("button", name="Ask again").click()
    expect(page.locator(".pane img.heat")).to_be_visible()
    expect(panes(page).locator(".problem")).to_have_count(0)


def test_objects_of_two_models_are_matched(tab: Tab, page_site: PageSite) -> None:
    page = tab.open(f"{page_site.url}#deployment=boxes&beside=masks")
    choose_files(page, {"photo.jpg": encoded(painted(1, 120, 90), "JPEG")})
    compared = page.locator(".models-compared")
    expect(compared.locator("image-stage")).to_have_count(2)
    both, first, second = (
        compared.locator(f"table:has(caption:text-is('{name}')) tbody tr").count()
        for name in ("In both", "Only in boxes", "Only in masks")
    )
    expect(compared).to_contain_text(f"{both} in both")
    assert compared.locator("figure").nth(0).locator("g").count() == both + first
    assert compared.locator("figure").nth(1).locator("g").count() == both + second
    assert compared.locator("figure").nth(0).locator("g path.broken").count() == first


MATCHED = """async ([ones, others]) => {
    const { matched } = await import("/viewer/matching.js");
    const { both, first, second } = matched(ones, others);
    const indices = (objects) => objects.map(({ index }) => index);
    return [both.map(indices), indices(first), indices(second)];
}"""
COMPARED = """async ([ones, others]) => {
    const { scoreRows } = await import("/viewer/models_compared.js");
    return scoreRows(ones, others).map(({ label, change }) => [label, Math.round(100 * change)]);
}"""


def test_matching_takes_label_and_overlap_and_nothing_twice(tab: Tab) -> None:
    page = open_modules(tab)
    ones = [
        {"index": 0, "label": "can", "box": box(0, 0, 0.4, 0.4)},
        {"index": 1, "label": "can", "box": box(0, 0, 0.4, 0.41)},
        {"index": 2, "label": "milk", "box": box(0.5, 0.5, 1, 1)},
        {"index": 3, "label": "milk", "box": box(0, 0.5, 0.2, 0.7)},
    ]
    others = [
        {"index": 7, "label": "carton", "box": box(0.5, 0.5, 1, 1)},
        {"index": 8, "label": "can", "box": box(0, 0, 0.4, 0.3)},
        {"index": 9, "label": "milk", "box": box(0.1, 0.5, 0.3, 0.7)},
    ]
    assert page.evaluate(MATCHED, [ones, others]) == [[[0, 8]], [1, 2, 3], [7, 9]]


def test_scores_of_two_models_come_by_what_differs_most(tab: Tab) -> None:
    page = open_modules(tab)
    ones = [{"label": "a", "score": 0.9}, {"label": "b", "score": 0.1}, {"label": "c", "score": 0.02}]
    others = [{"label": "a", "score": 0.8}, {"label": "b", "score": 0.6}, {"label": "d", "score": 0.3}]
    assert page.evaluate(COMPARED, [ones, others]) == [["b", 50], ["d", 30], ["a", -10], ["c", -2]]
