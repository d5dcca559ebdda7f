"""The page of a summary in a browser: offline, light and dark, on a narrow screen, and whatever labels are called."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.drawing.html_page import embedded
from data.fault import Fault
from explain.summary.box_shares import BoxShare
from explain.summary.images import SummaryImage
from explain.summary.label_summary import MappedImage, summaries
from explain.summary.page import LabelFigures, SummaryFacts, summary_page
from tests.support.browser import Tab, running_browser
from tests.support.drawn_maps import marked, moving

EVIL = '"><script>alert(1)</script>'
LONG = "w" * 300


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The page of a label with a mark, one of few images and one with none, all with odd names."""
    rng = np.random.default_rng(0)
    boxes = BoxShare(0.1, 0.2)
    images = {
        EVIL: [
            MappedImage(SummaryImage(f"{EVIL}{LONG}", 1, Path(), "", (1, 1), 1), values, 0.9, True, boxes)
            for values in [*moving(rng, 30), *marked(rng, 30)]
        ],
        LONG: [MappedImage(SummaryImage("a", 1, Path(), "", (1, 1), 1), values, 0.9) for values in moving(rng, 40)],
        "": [MappedImage(SummaryImage("a", 1, Path(), "", (1, 1), 1), values, 0.9) for values in moving(rng, 3)],
    }
    labels = summaries(images, {"none": 2})
    picture = (
        f"<figure>{embedded(Image.new('RGB', (176, 176), (90, 90, 200)), EVIL)}<figcaption>a</figcaption></figure>"
    )
    figures = {
        label.label: LabelFigures(picture, [[picture] * 8 for _ in label.clusters or (1,)])
        for label in labels
        if label.images
    }
    about = SummaryFacts(EVIL, [("12,345", "images"), (LONG, "model")], ["A note."])
    written = tmp_path / "page.html"
    written.write_text(summary_page(about, labels, figures, [Fault(1, EVIL, "image_missing", LONG, "image dropped")]))
    return written


def test_the_page_is_legible_everywhere(file: Path) -> None:
    with running_browser() as browser:
        for scheme, width in (("light", 1280), ("dark", 320)):
            with Tab(browser, offline=True, color_scheme=scheme, viewport={"width": width, "height": 700}) as tab:
                page = tab.open(file.as_uri())
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.locator("h2[id]").count() == 3
                assert page.locator("h3").first.inner_text().startswith("A place of its own: ")
                assert page.locator("td .fault").first.is_visible()
                page.locator("figure img").first.click()
                assert page.locator("dialog").is_visible()
                page.locator("dialog").click()
                assert tab.accessibility_violations() == []
