"""The image with what the model sees in it: boxes, numbers, the threshold, keys and gestures, in a real browser."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support import http
from tests.support.boxes_on_page import rectangle
from tests.support.browser import Tab, choose_files
from tests.support.images import encoded, painted
from tests.support.servers.page_site import PageSite

IMAGE = encoded(painted(1, 120, 90), "JPEG")


@pytest.fixture(scope="module")
def shown(browser: Browser, page_site: PageSite) -> Iterator[Page]:
    """The page with the boxes of an image, which every test leaves fitted and unfiltered."""
    with Tab(browser) as tab:
        yield open_image(tab, page_site, "boxes")


@pytest.fixture
def page(shown: Page) -> Iterator[Page]:
    yield shown
    shown.get_by_role("button", name="Fit").click(force=True)
    reset = shown.get_by_role("button", name="Reset to")
    if reset.count():
        reset.click()


def open_image(tab: Tab, site: PageSite, deployment: str) -> Page:
    page = tab.open(f"{site.url}#deployment={deployment}")
    choose_files(page, {"photo.jpg": IMAGE})
    expect(page.locator("image-stage").first).to_have_attribute("aria-busy", "false")
    return page


def found_by(site: PageSite, deployment: str) -> Any:
    """Return the objects of the server's own reply."""
    body = {"input_data": {"columns": ["image"], "data": [base64.b64encode(IMAGE).decode()]}}
    headers = {"azureml-model-deployment": deployment}
    return http.post(f"{site.server.url}/score", json=body, headers=headers).json()[0]["boxes"]


def rows(page: Page) -> Locator:
    return page.locator(".objects tbody tr")


def shapes(page: Page) -> Locator:
    return page.locator(".viewer .overlay g")


def zoom(page: Page) -> float:
    label = page.locator(".viewer image-stage").get_attribute("aria-label") or ""
    return float(re.findall(r"(\d+) %", label)[-1]) / 100


def test_every_box_lies_where_the_reply_says(page: Page, page_site: PageSite) -> None:
    objects = found_by(page_site, "boxes")
    assert len(objects) >= 3
    left, top, width, height = rectangle(page.locator(".viewer img"))
    for place, expected in enumerate(objects):
        corners = expected["box"]
        found = rectangle(page.locator(f'.viewer .overlay g[data-key="{place}"] path').last)
        wanted = [left + width * corners["topX"], top + height * corners["topY"]]
        wanted += [width * (corners["bottomX"] - corners["topX"]), height * (corners["bottomY"] - corners["topY"])]
        assert found == pytest.approx(wanted, abs=0.1)
        button = page.get_by_role("button", name=f"(object {place + 1},")
        assert (button.inner_text()).startswith(expected["label"])


def test_the_threshold_filters_without_asking_again(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    everything = rows(page).count()
    scores = [float(text) for text in page.locator(".objects .score").all_inner_texts() for text in [text.rstrip(" %")]]
    middle = sorted(scores)[len(scores) // 2] + 0.05
    page.get_by_label("Threshold in percent").fill(str(middle))
    page.keyboard.press("Enter")
    above = sum(score > middle for score in scores)
    assert 0 < above < everything
    expect(rows(page)).to_have_count(above)
    expect(shapes(page)).to_have_count(above)
    expect(page.locator(".threshold output")).to_contain_text(re.compile(rf"^{above} of \d+ shown$"))
    page.get_by_role("slider", name="Threshold").press("Home")
    expect(rows(page)).not_to_have_count(above)
    assert not [url for url in asked if url.endswith("/score")]


def test_a_switch_takes_a_label_away(page: Page) -> None:
    switch = page.locator(".legend label").first
    label = switch.locator(".label").inner_text()
    same = rows(page).filter(has=page.get_by_role("button", name=re.compile(rf"^{label} ")))
    assert same.count() > 0
    others = rows(page).count() - same.count()
    switch.locator("input").uncheck()
    expect(same).to_have_count(0)
    expect(shapes(page)).to_have_count(others)
    switch.locator("input").check()
    expect(shapes(page)).not_to_have_count(others)


def test_a_row_and_its_box_light_each_other(page: Page) -> None:
    lit = page.locator(".viewer .overlay .lit[d]")
    for light in (rows(page).nth(1).hover, rows(page).nth(1).get_by_role("button").focus):
        page.mouse.move(0, 0)
        expect(lit).to_have_count(0)
        light()
        expect(lit).to_have_count(1)
        path = lit.get_attribute("d")
        assert path == page.locator('.viewer .overlay g[data-key="1"] path').last.get_attribute("d")
        page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    expect(lit).to_have_count(0)
    page.locator('.viewer .overlay g[data-key="2"]').dispatch_event("pointerover")
    expect(page.locator(".objects tr.lit .index")).to_have_text("3")
    page.locator(".viewer .overlay svg").dispatch_event("pointerleave")


def test_space_shows_the_bare_image_while_it_is_held(page: Page) -> None:
    overlay = page.locator(".viewer .overlay")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.down(" ")
    expect(overlay).to_be_hidden()
    page.keyboard.up(" ")
    expect(overlay).to_be_visible()
    page.get_by_role("button", name="Bare image").focus()
    page.keyboard.press(" ")  # presses the button, and stays
    expect(overlay).to_be_hidden()
    page.keyboard.press(" ")
    expect(overlay).to_be_visible()


def test_keys_and_buttons_zoom_and_move(page: Page) -> None:
    stage, image = page.locator(".viewer image-stage"), page.locator(".viewer img")
    frame = rectangle(stage)
    assert rectangle(image) == pytest.approx(frame, abs=0.1)
    stage.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    enlarged = rectangle(image)
    assert enlarged[2] == pytest.approx(frame[2] * 1.25**2, rel=0.001)
    page.keyboard.press("ArrowRight")
    assert rectangle(image)[0] == pytest.approx(enlarged[0] - frame[2] / 8, abs=0.5)
    page.get_by_role("button", name="Move left").click()
    assert rectangle(image)[0] == pytest.approx(enlarged[0], abs=0.5)
    page.get_by_role("button", name="Zoom out").click()
    assert zoom(page) == pytest.approx(1.25, abs=0.01)
    stage.focus()
    page.keyboard.press("0")
    assert rectangle(image) == pytest.approx(frame, abs=0.1)
    page.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("-")
    assert zoom(page) == 1, "keys belong to the image that has the focus"


def test_a_wheel_zooms_with_ctrl_and_a_drag_moves(page: Page) -> None:
    image = page.locator(".viewer img")
    left, top, width, height = rectangle(page.locator(".viewer image-stage"))
    at = (left + width / 4, top + height / 2)
    page.mouse.move(*at)
    page.mouse.wheel(0, -50)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function("() => !document.querySelector('.moving') && document.querySelector('.movable')")
    now = rectangle(image)
    assert now[2] > 1.2 * width
    assert (at[0] - now[0]) / now[2] == pytest.approx(1 / 4, abs=0.01), "what is under the pointer stays there"
    page.mouse.down()
    page.mouse.move(at[0] + 20, at[1] + 12, steps=4)
    page.mouse.up()
    assert rectangle(image)[:2] == pytest.approx([now[0] + 20, now[1] + 12], abs=0.5)
    assert page.locator(".pane").count() == 0, "the end of a drag is no click"
    scale = zoom(page)
    page.mouse.dblclick(left + 2, top + height - 2)
    assert zoom(page) == 1 < scale


@pytest.mark.parametrize("deployment", ["boxes", "masks"])
def test_a_box_shows_why_it_was_found(tab: Tab, page_site: PageSite, deployment: str) -> None:
    page = open_image(tab, page_site, deployment)
    button = rows(page).nth(1).get_by_role("button")
    with page.expect_request("**/score") as asked:
        button.click()
    row = json.loads(asked.value.post_data or "")["input_data"]["data"][0]
    assert row["xai_parameters"]["target"] == [1]
    heat = page.get_by_role("img", name=f"heat map of {button.inner_text().split()[0]} by odam")
    expect(heat).to_be_visible()
    assert heat.evaluate("(e) => [e.naturalWidth, e.naturalHeight]") == [120, 90]
    assert rectangle(heat) == pytest.approx(rectangle(page.locator(".pane img.stored")), abs=0.01)
    expect(page.locator(".pane .measures")).to_contain_text("Weight inside the box")


def test_a_box_that_cannot_be_explained_is_enlarged(tab: Tab, page_site: PageSite) -> None:
    def without_algorithms(route: Route) -> None:
        catalog: Any = route.fetch().json()
        deployments = [each | {"algorithms": []} for each in catalog["deployments"]]
        route.fulfill(json=catalog | {"deployments": deployments})

    tab.context.route("**/ui/deployments", without_algorithms)
    page = open_image(tab, page_site, "boxes")
    button = rows(page).first.get_by_role("button")
    label = button.inner_text().split()[0]
    button.click()
    pane = page.locator(".pane")
    expect(pane.get_by_role("img", name=label)).to_be_visible()
    expect(pane).to_contain_text("cannot explain this model yet")
    pane.get_by_role("button", name="Close").click()
    expect(pane).to_have_count(0)


def test_outlines_are_drawn_with_their_holes(tab: Tab, page_site: PageSite) -> None:
    page = open_image(tab, page_site, "masks")
    objects = found_by(page_site, "masks")
    assert objects
    for place, expected in enumerate(objects):
        path: Any = page.locator(f'.viewer .overlay g[data-key="{place}"] path').last
        assert path.get_attribute("d").count("M") == len(expected["polygon"])
        assert path.evaluate("(e) => getComputedStyle(e).fillRule") == "evenodd"
