"""Everything that the page can do, by the keyboard alone: in one test, which fails where it leaves a control out."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Route, expect

from benchmarks.proxies.refusals import SCORING_KEY
from tests.support.browser import Tab
from tests.support.images import encoded, painted
from tests.support.keyboard import Keyboard
from tests.support.servers.live_server import LiveServer
from tests.support.servers.page_site import PageSite

PERMISSIONS = ["camera", "clipboard-read", "clipboard-write"]
FOLD = r"summary (\w+: )?[\[{]\d+[\]}]"
LABEL = r"button \w+ (< )?[\d.]+ %"
COPY_AN_IMAGE = """async () => {
    const canvas = new OffscreenCanvas(60, 40);
    canvas.getContext("2d").fillRect(0, 0, 30, 20);
    await navigator.clipboard.write([new ClipboardItem({ "image/png": await canvas.convertToBlob() })]);
}"""


def test_every_function_works_by_the_keyboard(
    browser: Browser, page_site: PageSite, keyed_page: LiveServer, tmp_path: Path
) -> None:
    with Tab(browser, permissions=PERMISSIONS) as tab:
        keys = Keyboard(tab.open(page_site.url))
        find_the_way(keys)
        bring_images(keys, tmp_path)
        look_at_the_image(keys)
        read_scores(keys)
        explain(keys)
        take_away(keys)
        read_objects(keys)
        compare_models(keys)
        tab.expect("504")
        recover(keys)
    with Tab(browser) as tab:
        keys.page = tab.open(f"{keyed_page.url}/ui")
        give_a_key(keys)
        assert keys.unused() == [], "controls of the page that this test does not use"


def find_the_way(keys: Keyboard) -> None:
    page = keys.page
    expect(page.get_by_text("resnet18")).to_be_visible()
    keys.press("a Skip to the answers")
    expect(page.locator("#answers")).to_be_focused()
    keys.to("a API")
    for way in ("Enter", "Escape"):
        keys.press("button Keys and help")
        expect(page.get_by_role("complementary", name="Keys and help")).to_be_visible()
        keys.press("button Close", way)
        expect(page.get_by_role("complementary", name="Keys and help")).to_have_count(0)


def bring_images(keys: Keyboard, folder: Path) -> None:
    page, items = keys.page, keys.page.locator(".strip li")
    files = [folder / name for name in ("one.png", "two.png")]
    for file in files:
        file.write_bytes(encoded(painted(1, 120, 90), "PNG"))
    with page.expect_file_chooser() as chooser:
        keys.press("file Choose images")
    chooser.value.set_files(files)
    expect(items).to_have_count(2)

    page.evaluate("navigator.clipboard.writeText('no image')")
    keys.press("button Paste an image")
    expect(page.get_by_text("The clipboard holds no image.")).to_be_visible()
    keys.press("button Close")
    expect(page.get_by_text("The clipboard holds no image.")).to_have_count(0)
    page.evaluate(COPY_AN_IMAGE)
    keys.press("button Paste an image")
    expect(items).to_have_count(3)

    for button, images in (("Close the camera", 3), ("Take the photograph", 4)):
        keys.press("button Camera")
        expect(page.get_by_role("button", name="Take the photograph")).to_be_enabled()
        keys.press(f"button {button}")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(items).to_have_count(images)

    keys.press("button Sample second")
    expect(items).to_have_count(5)
    for key, name in (("Home", "one.png"), ("ArrowRight", "two.png"), ("End", "second.png"), ("Home", "one.png")):
        keys.press("button Image .*", key)
        expect(page.locator("[aria-current=true] .name")).to_have_text(name)
    keys.press("button Image .*", "End", "Delete")
    expect(items).to_have_count(4)
    for left in (3, 2, 1):
        keys.press("button Remove .*")
        expect(items).to_have_count(left)
    expect(page.locator("[aria-current=true] .name")).to_have_text("one.png")


def look_at_the_image(keys: Keyboard) -> None:
    page = keys.page
    percent, view = page.locator(".viewer-tools .soft"), page.locator(".viewer .zoomed")
    keys.press("image-stage Image .*", "+")
    expect(percent).to_have_text("125 %")
    keys.press("image-stage Image .*", "ArrowRight", "-")
    expect(percent).to_have_text("100 %")
    for words in ("125 %", "156 %"):
        keys.press("button Zoom in")
        expect(percent).to_have_text(words)
    for direction in ("left", "up", "right", "down"):
        before = view.get_attribute("style") or ""
        keys.press(f"button Move {direction}")
        expect(view).not_to_have_attribute("style", before)
    keys.press("button Zoom out")
    expect(percent).to_have_text("125 %")
    keys.press("button Fit")
    expect(percent).to_have_text("100 %")
    expect(page.get_by_role("button", name="Fit")).to_be_focused()
    for pressed in ("true", "false"):
        keys.press("button Bare image")
        expect(page.get_by_role("button", name="Bare image")).to_have_attribute("aria-pressed", pressed)


def read_scores(keys: Keyboard) -> None:
    bars = keys.page.locator(".bar-button")
    keys.type("search Find one of 6 labels", "milk")
    expect(bars).to_have_count(1)
    keys.press("search Find one of 6 labels", "ControlOrMeta+a", "Delete")
    keys.press("button Show all 6 labels")
    expect(bars).to_have_count(6)
    keys.press("button Show the best 5")
    expect(bars).to_have_count(5)
    keys.press("summary Answered in .*")
    expect(keys.page.locator(".times dl")).to_be_visible()


def explain(keys: Keyboard) -> None:
    page = keys.page
    maps, best = page.get_by_role("img", name="heat map of"), page.locator(".bar-button .label").nth(1)
    keys.press(LABEL)
    expect(page.get_by_role("img", name="by xrai")).to_be_visible()
    keys.press(rf"button {best.inner_text()} .*", "Shift+Enter")
    expect(maps).to_have_count(2)
    keys.press("range Opacity of the maps", "End")
    expect(maps.first).to_have_css("opacity", "1")
    keys.press("select Maps show", "ArrowDown")
    expect(page.locator(".colour-scale")).to_contain_text("speaks against it")
    colours = page.get_by_label("Colours")
    before = colours.input_value()
    keys.press("select Colours", "ArrowDown")
    expect(colours).not_to_have_value(before)
    keys.press("select Maps show", "ArrowUp")
    expect(maps).to_have_count(2)
    hold_space(page, maps.first)

    keys.press("pane image-stage Heat map of .*", "+")
    expect(page.locator(".pane image-stage").first).to_have_attribute("aria-label", re.compile("125 %"))
    keys.press("button Swipe line")
    keys.press("image-stage .* on the left, .*", "0")
    expect(page.locator(".viewer image-stage")).to_have_attribute("aria-label", re.compile("100 %"))
    keys.press("range Line", "ArrowRight")
    expect(page.get_by_role("slider", name="Line", exact=True)).to_have_value("51")
    for side in ("Left", "Right"):
        shown = page.get_by_role("combobox", name=side)
        before = shown.input_value()
        keys.press(f"select {side}", "ArrowUp")
        expect(shown).not_to_have_value(before)
    keys.press("button Swipe line")
    expect(page.get_by_role("slider", name="Line", exact=True)).to_have_count(0)

    heading = page.locator(".pane h3").first
    keys.press("pane select Algorithm", "g", "r")
    expect(heading).to_contain_text("by gradcam")
    keys.press("pane select Why", "End")
    expect(heading).not_to_contain_text(page.locator(".bar-button .label").first.inner_text())
    keys.press("button Add a pane")
    expect(page.locator(".pane")).to_have_count(3)
    for left in (2, 1):
        keys.press("pane button Close .*")
        expect(page.locator(".pane")).to_have_count(left)
    expect(maps).to_have_count(1)


def hold_space(page: Page, shown: Locator) -> None:
    """Outside of buttons and fields, Space shows the bare image for as long as it is held."""
    page.evaluate("document.activeElement.blur()")
    page.keyboard.down("Space")
    expect(shown).to_have_css("opacity", "0")
    page.keyboard.up("Space")
    expect(shown).to_have_css("opacity", "1")


def take_away(keys: Keyboard) -> None:
    page = keys.page
    for language in ("curl", "Python", "JSON"):
        keys.press(f"summary {language}")
        keys.to(f"pre The request as {language}")
        keys.press(f"button Copy {language}")
        assert "image_base64" in copied(page)
    keys.press("button Copy with the image")
    assert len(json.loads(copied(page))["input_data"]["data"][0]["image_base64"]) > 1000
    keys.press(r"summary Scores by \w+")
    leaves = page.locator(".reply .leaf")
    expect(leaves.first).to_be_visible()
    keys.press(FOLD)
    expect(leaves.first).to_be_hidden()
    keys.press("button Copy the reply")
    assert len(json.loads(copied(page))["labels"]) == 6
    for words in ("Save this session as HTML", "Save the scores as CSV"):
        with page.expect_download() as download:
            keys.press(f"button {words}")
        assert download.value.path().stat().st_size > 0


def copied(page: Page) -> str:
    """Return what was copied since this was asked last."""
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    text: str = page.evaluate("navigator.clipboard.readText()")
    page.evaluate("navigator.clipboard.writeText('')")
    return text


def read_objects(keys: Keyboard) -> None:
    page = keys.page
    rows, slider = page.locator(".objects tbody tr"), page.get_by_role("slider", name="Threshold")
    keys.press("select Deployment", "b")
    expect(rows.first).to_be_visible()
    everything = rows.count()
    keys.press("range Threshold", "End")
    expect(rows).to_have_count(0)
    keys.type("number Threshold in percent", "30")
    page.keyboard.press("Enter")
    expect(slider).to_have_value("30")
    keys.press("button Reset to .* %")
    expect(rows).to_have_count(everything)
    for change in (expect(rows).not_to_have_count, expect(rows).to_have_count):
        keys.press(r"checkbox \w+", "Space")
        change(everything)
    keys.press(r"button \w+ \(object 1, .*")
    label = page.locator(".objects tbody tr .row-button").first.inner_text().split()[0]
    expect(page.locator(".pane").get_by_role("img", name=label)).to_be_visible()


def compare_models(keys: Keyboard) -> None:
    page, panes = keys.page, keys.page.locator(".pane")
    compared = page.locator(".models-compared")
    keys.press("select Compare with", "m")
    expect(compared.locator("image-stage")).to_have_count(2)
    keys.press("image-stage Objects of .*", "+")
    expect(compared.locator("image-stage").first).to_have_attribute("aria-label", re.compile("125 %"))
    keys.press(r"button \w+ \(explain\)")
    expect(panes.first).to_be_visible()

    keys.press("select Deployment", "l")
    keys.press("select Compare with", "g")
    expect(compared.locator(".differs").first).to_be_visible()
    keys.press(r"button [\w ]+ \(explain both\)")  # of the label that differs most
    expect(panes).to_have_count(2)
    keys.press(r"summary \d+ more labels")
    expect(compared.locator("details table")).to_be_visible()
    keys.press("pane select Deployment", "g")
    expect(panes.first.get_by_label("Deployment")).to_have_value("guess")


def recover(keys: Keyboard) -> None:
    page = keys.page
    error = {"code": "deadline_exceeded", "message": "It cannot end in time.", "request_id": "of a test"}

    def refuse(route: Route) -> None:
        route.fulfill(status=504, json=error)

    keys.press("select Compare with", "n")
    page.route("**/score", refuse)
    keys.press("button Sample first")
    expect(page.get_by_role("alert")).to_contain_text("It cannot end in time.")
    page.unroute("**/score")
    keys.press("button Ask again")
    expect(page.locator(".scores")).to_be_visible()

    def newer(route: Route) -> None:
        state: Any = route.fetch().json()
        route.fulfill(json={**state, "page": "of a newer server"})

    page.route("**/ui/state", newer)
    expect(page.get_by_text("The server was updated.")).to_be_visible()
    page.unroute("**/ui/state")
    with page.expect_navigation():
        keys.press("button Load the new page")


def give_a_key(keys: Keyboard) -> None:
    field = keys.page.get_by_label("Key", exact=True)
    for way in ("field", "button"):
        expect(field).to_be_visible()
        keys.type("password Key", SCORING_KEY)
        keys.press("password Key" if way == "field" else "button Use this key")
        expect(keys.page.get_by_role("button", name="Forget the key")).to_be_visible()
        keys.press("button Forget the key")
    expect(field).to_be_visible()
