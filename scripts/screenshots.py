"""Take the pictures of docs/page.md in a real browser: python -m scripts.screenshots, after `make serve`.

Serves the demo models that are there, and needs Debian's Chromium and the packages of the tests.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.harness.bench_server import BenchServer
from benchmarks.serving import free_port
from tests.support.browser import running_browser

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "docs/gallery"
_QUALITY = 82
_MARGIN = 16  # pixels
_SCENE = "scene_02.jpg"  # of several objects
# what stands below is for programs
_END = """Math.max(...[...document.querySelectorAll(".viewer, .side-answers, #why")].map(
    (part) => part.getBoundingClientRect().bottom + window.scrollY))"""


def main() -> None:
    """Write the pictures for which a demo model is there."""
    with running_browser() as browser:
        classifier = ROOT / "demo/fridge"
        if not classifier.exists():
            sys.exit("There is no demo model in demo/fridge. Run `make serve` first, which builds it.")
        with _opened(browser, classifier, 1280, "light") as page:
            _explain(page, classifier / "pictures/can_1.jpg")
            _save(page, "page_labels")
        with _opened(browser, classifier, 390, "dark") as page:
            _explain(page, classifier / "pictures/can_1.jpg")
            _save(page, "page_phone")
        for task in ("detection", "segmentation"):
            folder = ROOT / f"demo/fridge_{task}"
            if folder.exists():
                with _opened(browser, folder, 1280, "light") as page:
                    _choose(page, folder / "pictures" / _SCENE)
                    page.locator(".row-button").first.click()
                    page.get_by_role("img", name="heat map").wait_for()
                    page.evaluate("window.scrollTo(0, 0)")
                    _save(page, f"page_{task}")


@contextmanager
def _opened(browser: Browser, folder: Path, width: int, scheme: str) -> Iterator[Page]:
    with BenchServer(folder, free_port(), "--page-samples", str(folder / "pictures")) as server:
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"http://127.0.0.1:{server.port}/ui")
        yield page
        page.close()


def _choose(page: Page, image: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(image)


def _explain(page: Page, image: Path) -> None:
    """Ask about an image, and why its best label: by XRAI, and by Grad-CAM beside it."""
    _choose(page, image)
    best = page.locator(".bar-button").first
    best.click()
    page.get_by_role("img", name="by xrai").wait_for()
    page.get_by_role("button", name="Add a pane").click()
    page.get_by_role("img", name="heat map").nth(1).wait_for()
    page.evaluate("window.scrollTo(0, 0)")


def _save(page: Page, name: str) -> None:
    page.wait_for_timeout(500)  # images are decoded
    whole = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
    shot = whole.crop((0, 0, whole.width, min(whole.height, round(page.evaluate(_END)) + _MARGIN)))
    shot.save(GALLERY / f"{name}.jpg", quality=_QUALITY)
    print(f"{name}.jpg: {shot.width}x{shot.height}")


if __name__ == "__main__":
    main()
