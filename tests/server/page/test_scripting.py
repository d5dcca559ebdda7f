"""What programs that drive the page rely on, whatever it looks like: for each kind of model."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support import http
from tests.support.browser import Tab, choose_files
from tests.support.images import encoded, painted
from tests.support.servers.page_site import PageSite

IMAGE = encoded(painted(1, 120, 90), "JPEG")


def scores_of(site: PageSite, deployment: str) -> list[tuple[str, float]]:
    """Return the labels and scores of the server's own reply, those of a classifier or of each object."""
    headers = {"content-type": "image/jpeg", "azureml-model-deployment": deployment}
    reply: Any = http.post(f"{site.server.url}/score", content=IMAGE, headers=headers).json()
    if "probs" in reply:
        return list(zip(reply["labels"], reply["probs"], strict=True))
    return [(each["label"], each["score"]) for each in reply["boxes"]]


@pytest.mark.parametrize("deployment", ["labels", "boxes", "masks"])
def test_an_image_is_asked_about_by_what_programs_know(tab: Tab, page_site: PageSite, deployment: str) -> None:
    scores = scores_of(page_site, deployment)
    page = tab.open(f"{page_site.url}#deployment={deployment}&allLabels=true")
    assert page.locator("input[type=file]").count() == 1
    choose_files(page, {"photo.jpg": IMAGE})

    expect(page.locator("meter")).to_have_count(len(scores))
    values = page.locator("meter").evaluate_all("(meters) => meters.map(({ value, max }) => value / max)")
    assert sorted(values) == pytest.approx(sorted(score for _, score in scores), abs=1e-5)
    for label in {label for label, _ in scores}:
        buttons = page.get_by_role("button", name=re.compile(f"^{label} "))
        assert buttons.count() == sum(each == label for each, _ in scores)
        assert page.locator(f"img[alt*='{label}']").count() == 0
        buttons.first.press("Enter")
        expect(page.locator(f"img[alt*='{label}']").first).to_be_visible()
        page.get_by_role("button", name=re.compile(f"^Close {label}")).press("Enter")
