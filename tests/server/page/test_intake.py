"""How images come into the page: dropped, pasted, chosen, from the camera or the samples; and the strip of them."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import Tab, choose_files
from tests.support.images import encoded, painted
from tests.support.servers.page_site import SAMPLES, PageSite

HOSTILE = "<img src=x onerror=alert(1)>.png"
PHOTOGRAPH = encoded(Image.fromarray(painted(4, 60, 40)), "PNG")
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
SEND = """([files, text, event]) => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) {
        transfer.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
    }
    if (text) transfer.setData("text/plain", text);
    const target = document.activeElement ?? document.body;
    const given = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
    if (event === "paste") return !target.dispatchEvent(new ClipboardEvent("paste", given));
    document.body.dispatchEvent(new DragEvent("dragenter", given));
    const told = document.querySelector(".drop-overlay").checkVisibility();
    document.body.dispatchEvent(new DragEvent("drop", given));
    return told && !document.querySelector(".drop-overlay").checkVisibility();
}"""


@pytest.fixture(scope="module")
def opened(browser: Browser, page_site: PageSite) -> Iterator[Page]:
    with Tab(browser, permissions=["camera"]) as tab:
        tab.expect("ERR_FILE_NOT_FOUND blob:")  # of a URL that is released
        yield tab.open(page_site.url)


@pytest.fixture
def page(opened: Page) -> Page:
    """The page without images."""
    while opened.locator(".strip .remove").count():
        opened.locator(".strip .current .remove").click()
    return opened


def items(page: Page) -> Locator:
    return page.locator(".strip li")


def names(page: Page) -> list[str]:
    return page.locator(".strip .name").all_inner_texts()


def send(page: Page, event: str, *files: tuple[str, bytes], text: str = "") -> bool:
    """Send an event as a browser does; tells whether the page took it."""
    taken: bool = page.evaluate(SEND, [[(name, base64.b64encode(data).decode()) for name, data in files], text, event])
    return taken


def choose(page: Page, *files: tuple[str, bytes]) -> None:
    choose_files(page, dict(files))


def test_files_dropped_anywhere_are_scored_or_refused_in_words(page: Page) -> None:
    assert send(page, "drop", (HOSTILE, PHOTOGRAPH), ("drawing.png", SVG), ("page.jpg", b"<html><script>alert(1)"))
    expect(items(page)).to_have_count(3)
    expect(items(page).nth(0)).to_contain_text("scored")
    expect(items(page).nth(1)).to_contain_text("refused")
    assert names(page) == [HOSTILE, "drawing.png", "page.jpg"]
    items(page).nth(1).locator(".thumbnail").click()
    expect(page.get_by_text("This is an SVG drawing.")).to_be_visible()
    assert page.locator("img[src*=svg], iframe, object, embed").count() == 0


def test_a_dropped_text_is_answered_with_what_is_expected(page: Page) -> None:
    assert send(page, "drop", text="https://example.org/cat.jpg")
    expect(page.get_by_role("status").get_by_text("Drop an image file")).to_be_visible()
    assert items(page).count() == 0


def test_a_dropped_folder_gives_its_images(page: Page, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/2.png", "a/10.png", "a/b/deep.dat"):
        (tmp_path / name).write_bytes(PHOTOGRAPH)
    (tmp_path / "a/notes.png").write_text("no image")
    (tmp_path / "a/.hidden.png").write_bytes(PHOTOGRAPH)
    dragged = {"items": [], "files": [str(tmp_path / "a")], "dragOperationsMask": 1}
    devices = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devices.send("Input.dispatchDragEvent", {"type": kind, "x": 50, "y": 50, "data": dragged})
    expect(items(page)).to_have_count(3)
    assert names(page) == ["2.png", "10.png", "deep.dat"]
    expect(page.get_by_text("1 other files are no images")).to_be_visible()


def test_images_are_pasted_wherever_the_focus_is(page: Page) -> None:
    assert send(page, "paste", ("image.png", PHOTOGRAPH))
    expect(items(page)).to_have_count(1)
    assert names(page)[0].startswith("pasted ")
    assert send(page, "paste", text="no image")
    expect(page.get_by_text("The clipboard holds no image.")).to_be_visible()


def test_a_text_pasted_into_a_field_is_the_fields(page: Page) -> None:
    page.evaluate("document.body.append(Object.assign(document.createElement('input'), { id: 'field' }))")
    page.locator("#field").focus()
    assert not send(page, "paste", text="a word")
    assert not send(page, "paste", ("image.png", PHOTOGRAPH), text="cells of a sheet, with a picture of them")
    assert items(page).count() == 0
    assert send(page, "paste", ("image.png", PHOTOGRAPH))
    expect(items(page)).to_have_count(1)
    page.evaluate("document.getElementById('field').remove()")


def test_the_camera_gives_a_photograph_and_stops(page: Page) -> None:
    page.evaluate("""() => {
        const { mediaDevices } = navigator;
        const ask = mediaDevices.getUserMedia.bind(mediaDevices);
        mediaDevices.getUserMedia = async (wish) => (window.stream = await ask(wish));
    }""")
    page.get_by_role("button", name="Camera", exact=True).click()
    page.get_by_role("button", name="Take the photograph").click()
    expect(items(page)).to_have_count(1)
    assert names(page)[0].startswith("camera ")
    assert page.evaluate("stream.getTracks().map((track) => track.readyState)") == ["ended"]
    page.get_by_role("button", name="Camera", exact=True).click()
    expect(page.locator("dialog video")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    assert page.evaluate("stream.getTracks().map((track) => track.readyState)") == ["ended"]


def test_a_camera_that_is_not_to_be_had_is_said_in_words(page: Page) -> None:
    page.evaluate("""() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    }""")
    page.get_by_role("button", name="Camera", exact=True).click()
    expect(page.get_by_text("does not let this page use the camera")).to_be_visible()
    page.get_by_role("button", name="Close the camera").click()
    expect(page.locator("dialog")).to_have_count(0)


def test_samples_come_from_the_server(page: Page) -> None:
    page.get_by_role("group", name="Samples").get_by_role("button", name="second").click()
    expect(items(page)).to_have_count(1)
    expect(items(page).first).to_contain_text("scored")
    assert names(page) == ["second.png"]
    assert page.get_by_role("group", name="Samples").get_by_role("button").count() == len(SAMPLES)


def test_the_strip_is_walked_and_emptied_with_the_keyboard(page: Page) -> None:
    choose(page, *((f"{number}.png", PHOTOGRAPH) for number in range(4)))
    expect(items(page)).to_have_count(4)
    page.locator(".strip .current .thumbnail").focus()
    for key, current in (("ArrowRight", "1"), ("End", "3"), ("ArrowRight", "3"), ("ArrowLeft", "2"), ("Home", "0")):
        page.keyboard.press(key)
        expect(page.locator("[aria-current=true] .name")).to_have_text(f"{current}.png")
        expect(page.locator(":focus .name")).to_have_text(f"{current}.png")
    page.keyboard.press("Delete")
    expect(page.locator(":focus .name")).to_have_text("1.png")
    page.keyboard.press("End")
    page.keyboard.press("Delete")
    expect(page.locator(":focus .name")).to_have_text("2.png")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_accessible_name("Remove 2.png")
    page.keyboard.press("Enter")
    expect(page.locator(":focus .name")).to_have_text("1.png")
    page.keyboard.press("Delete")
    expect(page.locator("input[type=file]")).to_be_focused()


def test_urls_of_removed_images_are_released(page: Page) -> None:
    choose(page, ("a.png", PHOTOGRAPH))
    url = page.locator(".strip img").get_attribute("src")
    load = "(url) => new Promise((done) => { const image = new Image();"
    load += "image.onload = () => done(true); image.onerror = () => done(false); image.src = url; })"
    assert page.evaluate(load, url)
    page.locator(".strip .remove").click()
    expect(items(page)).to_have_count(0)
    assert not page.evaluate(load, url)


def test_the_strip_is_bounded_and_says_so(page: Page) -> None:
    choose(page, *((f"{number}.jpg", SVG) for number in range(101)))
    expect(items(page)).to_have_count(100)
    expect(page.get_by_text("The strip holds 100 images")).to_be_visible()
    page.reload()
