"""Modules of the viewer by themselves, in an empty page of the server, with a state that a test makes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route

import server.page
from server.page.joining import joined_style
from tests.support.browser import Tab

_STATIC = Path(server.page.__file__).parent / "static"
_EMPTY = '<!doctype html><html lang="en"><title>Probe</title><link rel="stylesheet" href="{}"><main id="probe"></main>'
_TYPES = {".js": "text/javascript", ".css": "text/css"}


def probe(tab: Tab, url: str, images: Mapping[str, bytes] | None = None) -> Page:
    """Open an empty page on the server of `url`, where `/modules/` has the files of the page, and `images` by name."""

    def fulfil(route: Route) -> None:
        path = urlsplit(route.request.url).path.removeprefix("/modules/")
        if path in (images or {}):
            route.fulfill(body=(images or {})[path])
        elif path == "style.css":
            route.fulfill(body=joined_style(_STATIC / path), content_type="text/css")
        elif path == "empty":
            route.fulfill(body=_EMPTY.format("/modules/style.css"), content_type="text/html")
        else:
            route.fulfill(body=(_STATIC / path).read_bytes(), content_type=_TYPES[Path(path).suffix])

    tab.page.route("**/modules/**", fulfil)
    return tab.open(url.removesuffix("/ui") + "/modules/empty")


def box(left: float, top: float, right: float, bottom: float) -> dict[str, Any]:
    """Return a box as replies hold it."""
    return {"topX": left, "topY": top, "bottomX": right, "bottomY": bottom}
