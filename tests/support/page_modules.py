"""The modules of the page, each on its own, in a browser: without a server, and before they are joined."""

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route

from tests.support.browser import Tab
from tests.support.repository import ROOT

_STATIC = ROOT / "server/page/static"
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_ORIGIN = "http://localhost:1"  # where nothing listens


def open_modules(tab: Tab) -> Page:
    """Return an empty page whose scripts may import modules by their paths in `static`, such as `/images/notes.js`."""
    tab.context.route(f"{_ORIGIN}/**", _answer)
    return tab.open(f"{_ORIGIN}/")


def _answer(route: Route) -> None:
    path = Path(urlsplit(route.request.url).path)
    if path.suffix in _TYPES:
        route.fulfill(path=_STATIC / path.relative_to("/"), content_type=_TYPES[path.suffix])
    else:
        route.fulfill(body="<!doctype html><title>Modules</title>", content_type="text/html; charset=utf-8")
